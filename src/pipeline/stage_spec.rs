//! One `[[stage]]` of a pipeline file.

use serde::Serialize;
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue, Error},
};

use super::{
    PipelineError,
    document::{Document, Placed, typed},
    stages,
};

/// Keys of every stage, whatever its kind.
const KEYS: [&str; 3] = ["name", "kind", "needs"];

/// One `[[stage]]`.
#[derive(Clone, Debug, Serialize)]
#[serde(into = "Table")]
pub struct StageSpec {
    /// Unique in the pipeline.
    pub name: String,
    /// What it does, with its settings.
    pub kind: StageKind,
    /// Stages whose results it reads; they stand before it.
    pub needs: Vec<String>,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal in $room:ident,)+) => {
        /// The kinds of stages; each has its settings.
        #[derive(Clone, Debug, Serialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum StageKind {
            $($(#[doc = $doc])+ $kind(stages::$room::Settings),)+
        }

        /// Names of the kinds.
        const KINDS: &[&str] = &[$($name),+];

        impl StageKind {
            /// As it stands in the file.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $name,)+
                }
            }

            /// A kind with its settings; `None` where there is none of this name.
            fn read(name: &str, settings: Placed<'_>) -> Option<Result<Self, Error>> {
                match name {
                    $($name => Some(typed(settings).map(Self::$kind)),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// Renders the synthetic demo library.
    Demo = "demo" in demo,
    /// Fills the feature store.
    Extract = "extract" in extract,
    /// Divides the titles into folds.
    Split = "split" in split,
    /// Cross-validates the head over the folds.
    Evaluate = "evaluate" in evaluate,
    /// Trains on all labelled titles and writes a bundle.
    Train = "train" in train,
    /// Tags titles with the bundle.
    Tag = "tag" in tag,
    /// Writes the report.
    Report = "report" in report,
}

impl StageSpec {
    /// All stages of a pipeline file, in its order.
    ///
    /// # Errors
    /// There is none; one lacks a name or a kind, is of an unknown kind, or has settings that its
    /// kind does not know.
    pub(super) fn all(document: &Document<'_>) -> Result<Vec<Self>, PipelineError> {
        let Some(stages) = document.get("stage") else {
            let hint = "add what is to be done, such as\n      [[stage]]\n      name = \"features\"\n      \
                        kind = \"extract\"";
            return Err(document.refuse_at(None, "there is no [[stage]]", Some(hint.to_owned())));
        };
        let one = |stage: &Placed<'_>| match stage.get_ref() {
            DeValue::Table(table) => Self::one(table, stage, document),
            _ => Err(document.refuse_at(Some(stage.span()), "a stage is a table: [[stage]]", None)),
        };
        let DeValue::Array(all) = stages.get_ref() else {
            let hint = Some("write [[stage]], with two brackets".to_owned());
            let message = "`stage` is no list of stages";
            return Err(document.refuse_at(Some(stages.span()), message, hint));
        };
        all.iter().map(one).collect()
    }

    fn one(
        table: &DeTable<'_>,
        whole: &Placed<'_>,
        document: &Document<'_>,
    ) -> Result<Self, PipelineError> {
        let refuse = |at: &Placed<'_>, message: String| {
            Err(document.refuse_at(Some(at.span()), message, None))
        };
        let text = |key: &str| table.get(key).map(|value| (value, value.get_ref().as_str()));
        let name = match text("name") {
            Some((_, Some(name))) if !name.is_empty() => name,
            Some((at, _)) => return refuse(at, "a stage's `name` is a text".to_owned()),
            // What stands there in its place is a better guess than the brackets above it.
            None => return Err(unknown_key(table, whole, document)),
        };
        let names = |names: &[&str]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>();
        let kinds = || names(KINDS).join(", ");
        let (kind, kind_at) = match text("kind") {
            Some((at, Some(kind))) => (kind, at),
            Some((at, None)) => {
                return refuse(at, format!("stage {name}: `kind` is one of {}", kinds()));
            }
            None => {
                return refuse(whole, format!("stage {name} needs a `kind`, one of {}", kinds()));
            }
        };
        let mut needs = Vec::new();
        if let Some(list) = table.get("needs") {
            let items = list.get_ref().as_array();
            let items = items.map(|items| items.iter().map(|item| item.get_ref().as_str()));
            let Some(Some(all)) = items.map(Iterator::collect::<Option<Vec<&str>>>) else {
                return refuse(list, format!("stage {name}: `needs` is a list of stage names"));
            };
            needs.extend(all.into_iter().map(str::to_owned));
        }
        let own: DeTable<'_> = table
            .iter()
            .filter(|(key, _)| !KEYS.contains(&&**key.get_ref()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let own = Spanned::new(whole.span(), DeValue::Table(own));
        let Some(kind) = StageKind::read(kind, own) else {
            let message =
                format!("stage {name}: unknown kind `{kind}`, expected one of {}", kinds());
            return refuse(kind_at, message);
        };
        let kind = kind.map_err(|error| {
            let mut message = error.message().trim().to_owned();
            if let Some((unknown, known)) = message.split_once("`, ")
                && unknown.starts_with("unknown field")
            {
                // A kind knows its own keys alone.
                let own = known.split('`').skip(1).step_by(2);
                let all: Vec<&str> = KEYS.into_iter().chain(own).collect();
                message = format!("{unknown}`, expected one of {}", names(&all).join(", "));
            }
            document.refuse_at(error.span(), format!("stage {name}: {message}"), None)
        })?;
        Ok(Self { name: name.to_owned(), kind, needs })
    }
}

/// A stage without a name: one of its keys may be meant.
fn unknown_key(table: &DeTable<'_>, whole: &Placed<'_>, document: &Document<'_>) -> PipelineError {
    let meant = table.iter().find(|(key, _)| {
        !KEYS.contains(&&**key.get_ref())
            && base::nearest::nearest(key.get_ref(), ["name"]).is_some()
    });
    match meant {
        Some((key, _)) => {
            let message = format!("unknown field `{}`, expected `name`", key.get_ref());
            document.refuse_at(Some(key.span()), message, None)
        }
        None => document.refuse_at(Some(whole.span()), "every [[stage]] needs a `name`", None),
    }
}

impl From<StageSpec> for Table {
    fn from(stage: StageSpec) -> Self {
        let mut table = Self::new();
        table.insert("name".to_owned(), Value::String(stage.name));
        if let Ok(Value::Table(kind)) = Value::try_from(&stage.kind) {
            table.extend(kind);
        }
        if !stage.needs.is_empty() {
            table.insert("needs".to_owned(), stage.needs.into());
        }
        table
    }
}
