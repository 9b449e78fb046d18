//! The check of a device (`scripts/check_device`), with the processor as the device, tiny random
//! networks and a small library.

use std::{fs, path::Path, process::Command, time::Duration};

use cinetag::base::DeviceChoice;

use crate::networks::data;

// The example's own code.
#[path = "../../examples/check_device/check/mod.rs"]
mod check;

use check::{PARTS, Row, Setup, collect, row};

fn setup(folder: &Path) -> Setup {
    let networks = folder.join("data/networks");
    fs::create_dir_all(&networks).unwrap();
    for kind in ["image_encoders", "text_networks", "whisper"] {
        std::os::unix::fs::symlink(data(kind), networks.join(kind)).unwrap();
    }
    let out = folder.join("out");
    fs::create_dir(&out).unwrap();
    Setup {
        device: DeviceChoice::Cpu,
        data: folder.join("data"),
        out,
        program: env!("CARGO_BIN_EXE_cinetag").into(),
        titles: 120,
        secs: 0.001,
    }
}

#[test]
fn every_part_of_the_check_of_a_device_runs_on_the_processor() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(folder.path());
    let mut rows: Vec<Row> = Vec::new();
    for (name, part) in PARTS {
        let before = rows.len();
        part(&setup, &mut |row| rows.push(row)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(rows[before..].iter().all(|row| row.part == name), "{name}");
        assert!(rows.len() > before, "{name} says nothing");
    }
    let table = row::table(&rows);
    assert!(row::is_right(&rows), "{table}");
    for what in ["tiny dinov2", "tiny bert", "tiny whisper", "loss curve", "titles", "at once"] {
        assert!(table.contains(what), "{what}:\n{table}");
    }
    for row in &rows {
        let read: Row = serde_json::from_str(&row.json()).unwrap();
        assert_eq!((&read.what, &read.note, read.holds), (&row.what, &row.note, row.holds));
        assert_eq!(read.value.is_some(), row.value.is_some());
    }
    let jobs: serde_json::Value =
        serde_json::from_slice(&fs::read(setup.out.join("torch.json")).unwrap()).unwrap();
    assert_eq!(jobs.as_array().unwrap().len(), 3);
    // PyTorch's side, as far as it goes where there is none.
    let mut torch = check::rates::torch(&setup, &data("../../../scripts/time_device.py"));
    let said = collect::rows("pytorch", &mut torch, &setup.out, Duration::from_secs(60));
    assert!(!said.is_empty() && said.iter().all(|row| row.holds != Some(false)), "{said:?}");
    row::lay_beside(&mut rows, said);
    let report = row::report(&serde_json::json!({}), Duration::ZERO, &rows);
    assert_eq!((&report["right"], &report["do_not_hold"]), (&true.into(), &0.into()), "{report}");
}

#[test]
fn a_number_that_is_none_or_too_large_does_not_hold() {
    for (value, holds) in [(0.5, true), (1.0, true), (1.5, false), (f64::NAN, false)] {
        assert_eq!(Row::within("p", "w", value, 1.0, "").holds, Some(holds), "{value}");
    }
    assert!(check::parity::difference(&[1.0, f32::NAN], &[1.0, 2.0]).is_nan());
    assert!(check::parity::difference(&[1.0], &[1.0, 2.0]).is_nan());
    assert_eq!(check::parity::difference(&[1.0, 2.5], &[1.0, 2.0]), 0.25);
    let mut rows = vec![Row::number("rates", "net", 10.0, "a second")];
    for (theirs, holds) in [(8.0, true), (12.0, false)] {
        row::lay_beside(&mut rows, vec![Row::number("pytorch", "net", theirs, "a second")]);
        assert_eq!((rows.len(), rows[0].against, rows[0].holds), (1, Some(theirs), Some(holds)));
        assert!(row::is_right(&rows), "that PyTorch is faster is no fault");
    }
    row::lay_beside(&mut rows, vec![Row::number("pytorch", "net", f64::NAN, "a second")]);
    assert_eq!(rows.len(), 2);
    assert!(!row::is_right(&[Row::broken("rates", "net", "no memory")]));
}

#[test]
fn a_part_that_fails_or_hangs_costs_its_own_rows_only() {
    let folder = tempfile::tempdir().unwrap();
    let line = Row::number("parity", "net", 1.0, "").json();
    let rows = |script: &str, limit| {
        let script = script.replace("ROW", &format!("echo '{line}'"));
        let limit = Duration::from_secs(limit);
        collect::rows("parity", Command::new("sh").args(["-c", &script]), folder.path(), limit)
    };
    assert_eq!(rows("ROW; echo no row; ROW", 60).len(), 2);
    let failed = rows("ROW; echo out of memory >&2; exit 3", 60);
    assert_eq!((failed.len(), failed[1].holds), (2, Some(false)));
    assert!(failed[1].note.ends_with("exit status: 3: out of memory"), "{}", failed[1].note);
    // What it started has its output too, and ends with it.
    let hangs = rows("ROW; sleep 1000 & sleep 1000", 1);
    assert_eq!((hangs.len(), hangs[1].holds), (2, Some(false)));
    assert!(hangs[1].note.starts_with("was ended after 1 s"), "{}", hangs[1].note);
}
