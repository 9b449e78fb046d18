//! JSON Lines: one object a title, with everything that is known.

use std::io::{self, Write};

use super::{TagFormat, TagWriter, Tagged};

pub(super) struct Jsonl;

impl TagFormat for Jsonl {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn about(&self) -> &'static str {
        "JSON Lines: one object a title, with everything"
    }

    fn extension(&self) -> &'static str {
        "jsonl"
    }

    fn is_table(&self) -> bool {
        true
    }

    fn table<'a>(
        &self,
        out: Box<dyn Write + 'a>,
        _modalities: &[String],
    ) -> Option<Box<dyn TagWriter + 'a>> {
        Some(Box::new(Lines(out)))
    }
}

struct Lines<'a>(Box<dyn Write + 'a>);

impl TagWriter for Lines<'_> {
    fn write(&mut self, tagged: Tagged<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, tagged.tags)?;
        self.0.write_all(b"\n")
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}
