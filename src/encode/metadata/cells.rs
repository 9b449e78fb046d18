//! Metadata cells taken apart.
//!
//! in: a cell as the catalog states it; out: a number, or names without their embellishments.

/// Words that stand for an empty cell.
const NOTHING: [&str; 6] = ["n/a", "na", "none", "null", "\\n", "-"];

fn says_nothing(text: &str) -> bool {
    text.is_empty() || NOTHING.contains(&text.to_lowercase().as_str())
}

/// The number that a cell states: `142`, `142 min`, `1,234`, `$42,300,000`, `7.2`, `85%`,
/// `1 h 35 min` (minutes), `1999–2003` (its beginning). `None` where it states none.
///
/// A comma before exactly three digits separates thousands, any other is a decimal comma.
pub(super) fn number(cell: &str) -> Option<f64> {
    let text = cell.trim().trim_start_matches(['$', '€', '£', '¥']).trim_start();
    let (value, rest) = leading_number(text)?;
    let unit = rest.trim_start();
    if !unit.contains(|c: char| c.is_ascii_digit()) {
        return Some(value);
    }
    if let Some(after) = unit.strip_prefix(['–', '-', '/']) {
        return leading_number(after.trim_start()).map(|_| value);
    }
    let hours = unit.strip_prefix(['h', 'H'])?;
    let minutes = hours.trim_start_matches(|c: char| !c.is_ascii_digit());
    let (minutes, end) = leading_number(minutes)?;
    (!end.contains(|c: char| c.is_ascii_digit())).then_some(value * 60.0 + minutes)
}

/// The number at the beginning of a text and what follows it.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['-', '+', '−']).unwrap_or(text);
    let end = unsigned
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))
        .unwrap_or(unsigned.len());
    let (digits, rest) = unsigned.split_at(end);
    let value: f64 = decimal(digits.trim_end_matches(['.', ',']))?.parse().ok()?;
    let negative = unsigned.len() != text.len() && !text.starts_with('+');
    Some((if negative { -value } else { value }, rest))
}

/// Digits with thousands separators taken out and a point as the decimal mark.
fn decimal(digits: &str) -> Option<String> {
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let mut parts = digits.split(',');
    let first = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    let whole = |part: &str| part.split('.').next().unwrap_or(part).len() == 3;
    if rest.iter().all(|part| whole(part)) {
        return Some(format!("{first}{}", rest.concat()));
    }
    match rest[..] {
        [fraction] if !first.contains('.') => Some(format!("{first}.{fraction}")),
        _ => None,
    }
}

/// The values of a cell, each once, in their order: separated by `|`, else by `,`, or a JSON
/// list.
pub(super) fn categories(cell: &str) -> Vec<String> {
    distinct(values(cell).into_iter().map(|value| tidy(&value)))
}

/// The first `max_people` names of a cell, each once, without what stands in parentheses.
pub(super) fn people(cell: &str, max_people: usize) -> Vec<String> {
    let mut names = distinct(values(cell).into_iter().map(|value| {
        let name = value.split_once('(').map_or(value.as_str(), |(name, _)| name);
        tidy(name)
    }));
    names.truncate(max_people);
    names
}

fn values(cell: &str) -> Vec<String> {
    let text = cell.trim();
    if text.starts_with('[')
        && let Ok(values) = serde_json::from_str(text)
    {
        return values;
    }
    let separator = if text.contains('|') { '|' } else { ',' };
    split_outside_parentheses(text, separator)
}

/// A separator inside parentheses does not separate: `A (story, screenplay), B` are two.
fn split_outside_parentheses(text: &str, separator: char) -> Vec<String> {
    let mut depth = 0_usize;
    let mut values = vec![String::new()];
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == separator && depth == 0 {
            values.push(String::new());
        } else if let Some(last) = values.last_mut() {
            last.push(c);
        }
    }
    values
}

/// One blank between words, none around.
fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn distinct(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for value in values {
        if !says_nothing(&value) && !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_what_stands_around_them() {
        for (cell, value) in [
            ("142", 142.0),
            ("142 min", 142.0),
            ("142min.", 142.0),
            ("1,234", 1234.0),
            ("$42,300,000", 42_300_000.0),
            ("1,234.5", 1234.5),
            ("7.2", 7.2),
            ("7,2", 7.2),
            ("-3", -3.0),
            ("85%", 85.0),
            ("1 h 35 min", 95.0),
            ("2h05", 125.0),
            ("1999–2003", 1999.0),
            ("1999-", 1999.0),
            (".5", 0.5),
            ("0", 0.0),
        ] {
            assert_eq!(number(cell), Some(value), "{cell}");
        }
        for cell in ["", "N/A", "min", "12 Feb 1993", "1.2.3", "1,2,3", "-", "inf", "NaN", ","] {
            assert_eq!(number(cell), None, "{cell}");
        }
    }

    #[test]
    fn several_values_of_a_cell() {
        assert_eq!(categories("English,  French ,English"), ["English", "French"]);
        assert_eq!(categories("Korea, South|USA"), ["Korea, South", "USA"]);
        assert_eq!(categories("[\"A, B\", \"C\"]"), ["A, B", "C"]);
        assert_eq!(categories("[sic], x"), ["[sic]", "x"]);
        assert!(categories("N/A").is_empty());
    }

    #[test]
    fn people_lose_their_parentheses() {
        let cell = "Tim Metcalfe (story), Ann  Lee (story, screenplay), Tim Metcalfe (screenplay), \
                    Cut Off (earlier screen";
        assert_eq!(people(cell, 5), ["Tim Metcalfe", "Ann Lee", "Cut Off"]);
        assert_eq!(people(cell, 1), ["Tim Metcalfe"]);
    }
}
