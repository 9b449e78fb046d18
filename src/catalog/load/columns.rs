//! Which columns of a catalog are looked at, and whether those are there that must be.

use std::sync::Arc;

use base::nearest::nearest;

use super::Loader;
use crate::{CatalogError, Problem, ProblemKind, Severity, problem::shown};

impl Loader<'_> {
    /// Whether a column of this name is kept in any way.
    pub(super) fn uses(&self, name: &str) -> bool {
        let is_field = || {
            self.keeps_fields
                && if self.kept.is_empty() {
                    !self.dropped.contains(&name)
                } else {
                    self.kept.contains(&name)
                }
        };
        let has_role = || self.columns.iter().any(|(_, column)| column.name == name);
        !name.is_empty() && (is_field() || has_role())
    }

    /// Every column that the declaration names must be there, and the id in any case.
    pub(super) fn check_columns(
        &self,
        found: &[Arc<str>],
        delimiter: Option<u8>,
    ) -> Result<(), CatalogError> {
        let is_there = |name: &str| found.iter().any(|f| &**f == name);
        let named = self
            .columns
            .iter()
            .filter(|(_, column)| {
                column.declared || (**column == self.id_column && !self.numbers_rows)
            })
            .map(|(role, column)| (format!("columns.{role}"), column.name.as_str()));
        let metadata = self.spec.metadata.lists().into_iter().flat_map(|(list, names)| {
            names.iter().map(move |name| (list.to_owned(), name.as_str()))
        });
        let Some((setting, name)) = named.chain(metadata).find(|(_, name)| !is_there(name)) else {
            return Ok(());
        };
        let alone = match (found, delimiter) {
            ([only], Some(delimiter)) => [';', '\t', ',', '|']
                .into_iter()
                .find(|&c| c as u8 != delimiter && only.contains(c)),
            _ => None,
        };
        let hint = match (alone, nearest(name, found.iter().map(|f| &**f))) {
            (Some(c), _) => {
                format!("the cells seem to be separated by {c:?}: set `catalog.delimiter`")
            }
            (None, Some(near)) => format!("set `catalog.{setting}` to \"{near}\" if that is meant"),
            (None, None) => format!("set `catalog.{setting}` to a column that is there"),
        };
        Err(CatalogError::NoColumn {
            path: self.spec.path.clone(),
            setting,
            column: name.to_owned(),
            found: found.iter().map(|f| shown(f)).collect(),
            hint,
        })
    }

    pub(super) fn duplicate_column(&self, line: u64, name: &str) -> Problem {
        Problem {
            severity: Severity::Warning,
            kind: ProblemKind::DuplicateColumn,
            file: self.spec.path.clone(),
            line: Some(line),
            column: None,
            field: Some(name.to_owned()),
            value: None,
            message: format!("column `{name}` stands twice in the header; only the first is used"),
            hint: "rename one of them".to_owned(),
        }
    }
}
