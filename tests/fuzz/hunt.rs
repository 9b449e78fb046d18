//! Looking for inputs that bring a reader down, for so many minutes.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cinetag::base::Seed;

use super::{
    Settings,
    child::{self, FILES, HUNT, seeds_in},
    targets::{TARGETS, Target},
    watch::{Finding, MAX_TIME, Places, file_name, watch},
};

/// A target's turn; a child's heap is fresh in each.
const TURN: Duration = Duration::from_secs(30);
/// A target with so many different faults is not asked for more.
const MAX_FAULTS: usize = 20;
/// Making an input smaller takes no longer.
const MAX_SHRINK: Duration = Duration::from_secs(40);

/// A target's state between its turns.
struct Course {
    target: &'static Target,
    next: u64,
    faults: BTreeSet<String>,
}

/// Hunts; whether nothing was found.
pub fn hunt(settings: &Settings) -> bool {
    let wanted = |target: &&&Target| {
        settings.only.is_empty() || settings.only.iter().any(|name| name == target.name)
    };
    let courses: Vec<Mutex<Course>> = TARGETS
        .iter()
        .filter(wanted)
        .map(|target| Mutex::new(Course { target, next: 0, faults: BTreeSet::new() }))
        .collect();
    assert!(!courses.is_empty(), "no target of this name");
    let scratch = tempfile::tempdir().expect("a folder to write to");
    for course in &courses {
        let target = course.lock().unwrap().target;
        write_seeds(target, &scratch.path().join(target.name).join("seeds"));
    }
    let budget = Duration::from_secs_f64(settings.minutes * 60.0);
    let until = Instant::now() + budget;
    let rounds = (budget.as_secs_f64() * settings.jobs as f64
        / (courses.len() as f64 * TURN.as_secs_f64()))
    .ceil()
    .max(1.0);
    let turn = budget.mul_f64(settings.jobs as f64 / (courses.len() as f64 * rounds));
    let place = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..settings.jobs.min(courses.len()) {
            scope.spawn(|| {
                while Instant::now() < until {
                    let at = place.fetch_add(1, Ordering::Relaxed) % courses.len();
                    if let Ok(mut course) = courses[at].try_lock() {
                        let end = (Instant::now() + turn).min(until);
                        turn_of(&mut course, settings, scratch.path(), end);
                    } else {
                        thread::yield_now();
                    }
                }
            });
        }
    });
    let mut is_well = true;
    for course in courses {
        let course = course.into_inner().unwrap();
        println!(
            "{:<12} {:>9} inputs, {} faults",
            course.target.name,
            course.next,
            course.faults.len()
        );
        is_well &= course.faults.is_empty();
    }
    is_well
}

/// Writes what a target begins with.
pub fn write_seeds(target: &Target, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder to write to");
    for (idx, seed) in (target.seeds)().into_iter().enumerate() {
        fs::write(folder.join(format!("{idx:04}")), seed).expect("a seed is written");
    }
}

fn turn_of(course: &mut Course, settings: &Settings, scratch: &Path, until: Instant) {
    let target = course.target;
    let own = scratch.join(target.name);
    let places = Places { seeds: &own.join("seeds"), scratch: &own };
    while Instant::now() < until && course.faults.len() < MAX_FAULTS {
        let orders = [HUNT.to_owned(), settings.seed.to_string(), course.next.to_string()];
        let end = watch(target.name, &places, &orders, Some(until), MAX_TIME);
        course.next = course.next.max(end.next);
        let Some(finding) = end.finding else { continue };
        if course.faults.insert(finding.signature.clone()) {
            tell(target, settings, &places, &finding);
        }
        if finding.number.is_none() {
            return; // its seeds alone bring it down
        }
    }
}

fn tell(target: &Target, settings: &Settings, places: &Places<'_>, finding: &Finding) {
    println!("{}: {}\n{}", target.name, finding.signature, finding.words.trim_end());
    let Some(number) = finding.number else { return };
    let input = child::input(target, &seeds_in(places.seeds), Seed(settings.seed), number);
    let small = shrink(target, places, finding, input);
    let folder = settings.keep.join(target.name);
    fs::create_dir_all(&folder).expect("a folder to write to");
    let path = folder.join(file_name(&finding.signature, &small));
    fs::write(&path, &small).expect("an input is kept");
    println!(
        "  input {number} of seed {}, {} bytes: {}",
        settings.seed,
        small.len(),
        path.display()
    );
}

/// Takes pieces out as long as the same is found.
fn shrink(target: &Target, places: &Places<'_>, finding: &Finding, input: Vec<u8>) -> Vec<u8> {
    let until = Instant::now() + MAX_SHRINK;
    let candidate = places.scratch.join("candidate");
    let does_the_same = |bytes: &[u8]| {
        fs::write(&candidate, bytes).expect("an input is written");
        let orders = [FILES.to_owned(), candidate.to_string_lossy().into_owned()];
        let end = watch(target.name, places, &orders, None, MAX_TIME);
        end.finding.is_some_and(|found| found.signature == finding.signature)
    };
    let mut best = input;
    if !does_the_same(&best) {
        println!("  (it takes more than this one input)");
        return best;
    }
    let mut piece = best.len() / 2;
    while piece > 0 && Instant::now() < until {
        let mut at = 0;
        while at < best.len() && Instant::now() < until {
            let end = (at + piece).min(best.len());
            let smaller = [&best[..at], &best[end..]].concat();
            if does_the_same(&smaller) {
                best = smaller;
            } else {
                at = end;
            }
        }
        piece /= 2;
    }
    best
}
