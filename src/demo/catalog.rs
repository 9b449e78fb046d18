//! The catalog file and the README of a rendered library.

use super::{
    NOTE,
    recipe::{Recipe, Sheet, Trailer},
    style::GENRES,
};

const HEADER: &str = "id,title,year,genres,plot,poster,trailer,runtime_min,language,country,\
                      director,group,synthetic\n";

/// Where a poster lies, relative to the catalog.
pub(super) fn sheet_file(id: &str, sheet: &Sheet) -> String {
    format!("posters/{id}.{}", if sheet.png { "png" } else { "jpg" })
}

/// Where a trailer lies, relative to the catalog.
pub(super) fn trailer_file(id: &str, trailer: &Trailer) -> String {
    format!("trailers/{id}.{}", if trailer.webm { "webm" } else { "mp4" })
}

/// `movies.csv`, as RFC 4180 has it but with plain line feeds.
pub(super) fn csv(recipes: &[Recipe]) -> String {
    let mut text = HEADER.to_owned();
    for recipe in recipes {
        let record = &recipe.record;
        let number = |value: Option<i32>| value.map(|v| v.to_string()).unwrap_or_default();
        let word = |value: &Option<String>| value.clone().unwrap_or_default();
        let labels: Vec<_> = recipe.labels.iter().map(|&g| GENRES[g].name.as_str()).collect();
        let cells = [
            recipe.id.clone(),
            recipe.name.clone(),
            number(record.year),
            labels.join("|"),
            word(&recipe.story),
            recipe.sheet.as_ref().map(|s| sheet_file(&recipe.id, s)).unwrap_or_default(),
            recipe.trailer.as_ref().map(|t| trailer_file(&recipe.id, t)).unwrap_or_default(),
            number(record.minutes),
            word(&record.language),
            word(&record.country),
            word(&record.director),
            word(&recipe.group),
            "true".to_owned(),
        ];
        text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
        text.push('\n');
    }
    text
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// `README.md` of the library.
pub(super) fn readme(recipes: &[Recipe]) -> String {
    let mut text = format!(
        "# A synthetic film library\n\n{NOTE}.\n\nNo film, person or place in it exists. \
         Trailers, posters and plots were rendered on this machine by `cinetag` from a recipe and \
         a seed; figures made with them show that the program works, and nothing more.\n\n\
         `movies.csv` lists {} titles:\n\n| genre | titles |\n| --- | --- |\n",
        recipes.len(),
    );
    text.extend(GENRES.iter().enumerate().map(|(genre, style)| {
        let support = recipes.iter().filter(|recipe| recipe.labels.contains(&genre)).count();
        format!("| {} | {support} |\n", style.name)
    }));
    let missing = |is: &dyn Fn(&Recipe) -> bool| recipes.iter().filter(|r| is(r)).count();
    let gaps = format!(
        "\nOn purpose, {} have no trailer, {} no poster, {} no plot, {} no genres; some trailers \
         are silent, some cells of the record are empty, some hints mislead and a few labels are \
         wrong. Titles of one `group` belong together and must stay in one fold.\n\n\
         `demo.json` says what was rendered. Delete the folder to be rid of all of it.\n",
        missing(&|r| r.trailer.is_none()),
        missing(&|r| r.sheet.is_none()),
        missing(&|r| r.story.is_none()),
        missing(&|r| r.labels.is_empty()),
    );
    text + &gaps
}

#[cfg(test)]
mod tests {
    use base::Seed;

    use super::*;
    use crate::recipe::recipes;

    #[test]
    fn every_row_is_a_line_and_says_that_it_is_synthetic() {
        let recipes = recipes(30, Seed(1));
        let text = csv(&recipes);
        assert_eq!(text.lines().count(), 31);
        for (line, recipe) in text.lines().skip(1).zip(&recipes) {
            assert!(line.starts_with(&recipe.id) && line.ends_with(",true"), "{line}");
        }
        assert!(readme(&recipes).contains("synthetic"));
    }

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
    }
}
