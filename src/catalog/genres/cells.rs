//! Cells that name genres or files, taken apart.

use crate::{clean::missing::is_no_genre, jsonl::item, row::Content, spec::Separator};

/// Takes a genre cell apart; names as written, without those that say that there is none.
///
/// `is_name` knows names that are one, though a `/` stands in them.
///
/// # Errors
/// The cell should be JSON and is not.
pub(crate) fn genres_of(
    content: Content,
    separator: Separator,
    is_name: impl Fn(&str) -> bool,
) -> Result<Vec<String>, String> {
    let is_list = match &content {
        Content::List(_) => true,
        Content::Text(text) => text.starts_with('['),
    };
    let by_slash = separator == Separator::Auto && !is_list;
    let mut genres = Vec::new();
    for name in names_of(content, separator)? {
        let is_none = is_no_genre(&name);
        let is_several = by_slash && name.contains('/');
        if !(is_none || is_several) || is_name(&name) {
            genres.push(name);
        } else if !is_none {
            // `N/A` is no two genres.
            let parts = name.split('/').map(str::trim).filter(|part| !is_no_genre(part));
            genres.extend(parts.map(str::to_owned));
        }
    }
    Ok(genres)
}

/// Takes a cell with several names apart; as written, without the empty ones.
///
/// # Errors
/// The cell should be JSON and is not.
pub(crate) fn names_of(content: Content, separator: Separator) -> Result<Vec<String>, String> {
    let text = match content {
        Content::List(names) => return Ok(names),
        Content::Text(text) => text,
    };
    let separator = match separator {
        Separator::Auto if text.starts_with('[') => Separator::Json,
        Separator::Auto if text.contains('|') => Separator::Bar,
        Separator::Auto if text.contains(';') => Separator::Semicolon,
        Separator::Auto => Separator::Comma,
        stated => stated,
    };
    let split = |by: char| {
        let names = text.split(by).map(str::trim).filter(|name| !name.is_empty());
        Ok(names.map(str::to_owned).collect())
    };
    match separator {
        Separator::Bar => split('|'),
        Separator::Comma => split(','),
        Separator::Semicolon => split(';'),
        Separator::Slash => split('/'),
        Separator::Json | Separator::Auto => {
            let values: Vec<serde_json::Value> =
                serde_json::from_str(&text).map_err(|_| "is no JSON list".to_owned())?;
            Ok(values.into_iter().filter_map(item).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, separator: Separator) -> Result<Vec<String>, String> {
        names_of(Content::Text(text.to_owned()), separator)
    }

    #[test]
    fn cells_are_taken_apart_in_every_notation() {
        let expected = ["Sci-Fi", "Film-Noir"];
        for text in ["Sci-Fi|Film-Noir", "Sci-Fi, Film-Noir", "[\"Sci-Fi\", \"Film-Noir\"]"] {
            assert_eq!(names(text, Separator::Auto).unwrap(), expected, "{text}");
        }
        let tmdb = "[{\"id\": 18, \"name\": \"Drama\"}]";
        assert_eq!(names(tmdb, Separator::Json).unwrap(), ["Drama"]);
        assert_eq!(names("A, B|C", Separator::Comma).unwrap(), ["A", "B|C"]);
        assert_eq!(names("|Drama||", Separator::Auto).unwrap(), ["Drama"]);
        assert!(names("['Drama']", Separator::Auto).is_err());
        assert!(names("Drama", Separator::Json).is_err());
    }

    #[test]
    fn what_says_that_there_is_no_genre_is_none_and_every_usual_sign_divides() {
        let known = ["Detective/Police"];
        let genres = |text: &str| {
            let content = Content::Text(text.to_owned());
            genres_of(content, Separator::Auto, |name| known.contains(&name)).unwrap()
        };
        for none in ["N/A", "nan", "NaN", "None", "null", "NULL", "-", "\\N", "[]", "[\"None\"]"] {
            assert!(genres(none).is_empty(), "{none}");
        }
        for two in
            ["Drama;Comedy", "Drama/Comedy", "Drama; Comedy;", "Drama / Comedy", "Drama|Comedy"]
        {
            assert_eq!(genres(two), ["Drama", "Comedy"], "{two}");
        }
        assert_eq!(genres("Drama, N/A, Comedy"), ["Drama", "Comedy"]);
        assert_eq!(genres("War|Drama/Comedy"), ["War", "Drama", "Comedy"]);
        assert_eq!(genres("Detective/Police, Drama"), ["Detective/Police", "Drama"], "one name");
        assert_eq!(genres("[\"Drama/Comedy\"]"), ["Drama/Comedy"], "a list is divided already");
        let list = Content::List(vec!["Drama/Comedy".into(), "None".into()]);
        assert_eq!(genres_of(list, Separator::Auto, |_| false).unwrap(), ["Drama/Comedy"]);
        let stated = Content::Text("Drama/Comedy".into());
        assert_eq!(genres_of(stated, Separator::Comma, |_| false).unwrap(), ["Drama/Comedy"]);
        let none_is_one = Content::Text("None".into());
        assert_eq!(genres_of(none_is_one, Separator::Auto, |_| true).unwrap(), ["None"]);
    }
}
