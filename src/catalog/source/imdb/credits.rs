//! Who made which film: numbers while the files are read, names at the end.

use std::path::Path;

use rayon::slice::ParallelSliceMut as _;

use super::{
    id_set::{IdSet, number_of},
    tsv::Tsv,
};
use crate::CatalogError;

/// Actors kept for each title.
const MAX_ACTORS: usize = 10;

/// In which part of the film's making; the order in which rows name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Role {
    Director,
    Writer,
    Actor,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Credit {
    title: u32,
    role: Role,
    order: u16,
    person: u32,
}

impl Credit {
    /// `None` where `person` is no person's id.
    fn new(title: u32, role: Role, order: usize, person: &str) -> Option<Self> {
        let person = number_of(person, "nm")?;
        Some(Self { title, role, order: u16::try_from(order).unwrap_or(u16::MAX), person })
    }
}

/// `title.crew`: lists of directors and writers.
pub(super) fn read_crew(path: &Path, kept: &IdSet) -> Result<Vec<Credit>, CatalogError> {
    let file = Tsv::open(path)?;
    let [id, directors, writers] = file.columns(["tconst", "directors", "writers"])?;
    let mut credits = Vec::new();
    file.for_each(|line| {
        let Some(title) = rank(kept, line.get(id)) else { return };
        for (role, column) in [(Role::Director, directors), (Role::Writer, writers)] {
            let people = line.get(column).into_iter().flat_map(|list| list.split(','));
            credits.extend(
                people
                    .enumerate()
                    .filter_map(|(order, person)| Credit::new(title, role, order, person)),
            );
        }
    })?;
    Ok(credits)
}

/// `title.principals`: a line a person; actors alone are taken, the rest stands in the crew.
pub(super) fn read_principals(path: &Path, kept: &IdSet) -> Result<Vec<Credit>, CatalogError> {
    let file = Tsv::open(path)?;
    let [id, ordering, person, category] =
        file.columns(["tconst", "ordering", "nconst", "category"])?;
    let mut credits = Vec::new();
    file.for_each(|line| {
        let Some(title) = rank(kept, line.get(id)) else { return };
        let (Some("actor" | "actress"), Some(person)) = (line.get(category), line.get(person))
        else {
            return;
        };
        let order = line.get(ordering).and_then(|order| order.parse().ok());
        credits.extend(Credit::new(title, Role::Actor, order.unwrap_or(usize::MAX), person));
    })?;
    Ok(credits)
}

/// Credits of the titles that are kept, by their rank.
#[derive(Default)]
pub(super) struct Credits {
    all: Vec<Credit>,
    /// Where each title's begin, by rank.
    begins: Vec<u32>,
    people: IdSet,
    names: Names,
}

impl Credits {
    pub(super) fn add(&mut self, credits: Vec<Credit>) {
        self.all.extend(credits);
    }

    /// Orders credits, leaves out actors beyond the first few, and reads the names of those
    /// who are left from `name.basics`.
    pub(super) fn close(&mut self, names: Option<&Path>) -> Result<(), CatalogError> {
        self.all.par_sort_unstable();
        self.all.dedup();
        let (mut last, mut num_actors) = (None, 0);
        self.all.retain(|credit| {
            num_actors = if last == Some(credit.title) { num_actors } else { 0 };
            last = Some(credit.title);
            num_actors += usize::from(credit.role == Role::Actor);
            credit.role != Role::Actor || num_actors <= MAX_ACTORS
        });
        self.all.shrink_to_fit();
        self.begins.clear();
        for (idx, credit) in self.all.iter().enumerate() {
            if self.begins.len() <= credit.title as usize {
                self.begins.resize(credit.title as usize + 1, idx as u32);
            }
        }
        for credit in &self.all {
            self.people.add(credit.person);
        }
        let num_people = self.people.close();
        self.names = Names { of: vec![(0, 0); num_people], text: String::new() };
        let Some(path) = names else { return Ok(()) };
        let file = Tsv::open(path)?;
        let [id, name] = file.columns(["nconst", "primaryName"])?;
        let (people, names) = (&self.people, &mut self.names);
        file.for_each(|line| {
            if let (Some(rank), Some(name)) = (rank(people, line.get(id)), line.get(name)) {
                names.set(rank as usize, name);
            }
        })
    }

    /// Names of those with a role in the title of a rank; their ids where `name.basics` does
    /// not name them.
    pub(super) fn of(&self, title: usize, role: Role) -> Vec<String> {
        let Some(&begin) = self.begins.get(title) else { return Vec::new() };
        self.all[begin as usize..]
            .iter()
            .take_while(|credit| credit.title as usize == title)
            .filter(|credit| credit.role == role)
            .map(|credit| {
                let name = self.people.rank(credit.person).and_then(|rank| self.names.get(rank));
                name.map_or_else(|| format!("nm{:07}", credit.person), str::to_owned)
            })
            .collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// The rank of a cell's id in a set of titles or people.
pub(super) fn rank(set: &IdSet, id: Option<&str>) -> Option<u32> {
    let id = id?;
    let number = number_of(id, "tt").or_else(|| number_of(id, "nm"))?;
    set.rank(number).map(|rank| rank as u32)
}

/// Names in one text; a `String` each would take thrice the memory.
#[derive(Default)]
struct Names {
    /// Begin and length, by rank.
    of: Vec<(u32, u16)>,
    text: String,
}

impl Names {
    fn set(&mut self, rank: usize, name: &str) {
        if let (Ok(begin), Ok(len)) = (u32::try_from(self.text.len()), u16::try_from(name.len())) {
            self.of[rank] = (begin, len);
            self.text.push_str(name);
        }
    }

    fn get(&self, rank: usize) -> Option<&str> {
        let (begin, len) = self.of[rank];
        let begin = begin as usize;
        self.text.get(begin..begin + usize::from(len)).filter(|name| !name.is_empty())
    }
}
