//! Small plots as SVG elements to stand inside the page: no fonts, no scripts, colours by the
//! page's CSS classes, so that they follow its light or dark theme.
//!
//! in: figures; text of others (genre names) is escaped here
//! out: `<svg …>` as text

use std::fmt::Write as _;

use super::model::{GenreReport, Reliability, TrainingCurve};

/// Where a plot's data stand inside its picture, px.
struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    x_range: (f64, f64),
    y_range: (f64, f64),
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        let (low, high) = self.x_range;
        self.left + self.width * (value - low) / (high - low)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.y_range;
        self.top + self.height * (1.0 - (value - low) / (high - low))
    }

    /// Grid lines with their numbers at these places of each axis.
    fn grid(&self, x_ticks: &[(f64, String)], y_ticks: &[(f64, String)]) -> String {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let mut out = String::new();
        for (value, text) in x_ticks {
            let x = self.x(*value);
            out += &line("grid", (x, self.top), (x, bottom));
            out += &label("tick mid", x, bottom + 12.0, text);
        }
        for (value, text) in y_ticks {
            let y = self.y(*value);
            out += &line("grid", (self.left, y), (right, y));
            out += &label("tick end", self.left - 4.0, y + 3.0, text);
        }
        out
    }

    fn path(&self, class: &str, points: impl IntoIterator<Item = (f64, f64)>) -> String {
        let mut d = String::new();
        for (x, y) in points {
            let command = if d.is_empty() { 'M' } else { 'L' };
            let _ = write!(d, "{command}{:.1} {:.1}", self.x(x), self.y(y));
        }
        format!(r#"<path class="{class}" d="{d}"/>"#)
    }
}

/// Escapes text for element content and attribute values.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            // Not allowed in XML at all.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> String {
    format!(
        r#"<line class="{class}" x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}"/>"#,
        from.0, from.1, to.0, to.1
    )
}

fn label(class: &str, x: f64, y: f64, text: &str) -> String {
    format!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escape(text))
}

fn dot(class: &str, (x, y): (f64, f64), radius: f64, tip: &str) -> String {
    let tip = escape(tip);
    format!(
        r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"><title>{tip}</title></circle>"#
    )
}

fn picture(class: &str, (width, height): (f64, f64), what: &str, inside: &str) -> String {
    let what = escape(what);
    format!(
        r#"<svg class="{class}" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" aria-label="{what}">{inside}</svg>"#
    )
}

fn unit_ticks(values: &[f64]) -> Vec<(f64, String)> {
    values.iter().map(|&v| (v, format!("{v}"))).collect()
}

/// Of one genre's small charts, from 0 to 1 both ways.
fn genre_frame() -> Frame {
    Frame {
        left: 24.0,
        top: 6.0,
        width: 128.0,
        height: 100.0,
        x_range: (0.0, 1.0),
        y_range: (0.0, 1.0),
    }
}

/// One genre's precision against recall, its prevalence as the base line and the point at which
/// it is decided.
pub(super) fn pr_curve(genre: &GenreReport) -> String {
    let frame = genre_frame();
    let ticks = unit_ticks(&[0.0, 0.5, 1.0]);
    let mut inside = frame.grid(&ticks, &ticks);
    inside += &line(
        "base",
        (frame.x(0.0), frame.y(genre.prevalence)),
        (frame.x(1.0), frame.y(genre.prevalence)),
    );
    let curve = &genre.curve;
    let points = || curve.recall.iter().copied().zip(curve.precision.iter().copied());
    if !curve.recall.is_empty() {
        inside += &frame.path("area", points().chain([(0.0, 0.0), (1.0, 0.0)]));
        inside += &frame.path("line", points());
        let (p, r) = (genre.metrics.precision, genre.metrics.recall);
        let tip = format!("decided at precision {p:.3}, recall {r:.3}");
        inside += &dot("point", (frame.x(r), frame.y(p)), 3.0, &tip);
    }
    let what = format!("Precision against recall of {}", genre.name);
    picture("chart", (158.0, 122.0), &what, &inside)
}

/// Stated probability against observed share, and what it was before calibration.
pub(super) fn reliability(reliability: &Reliability, before: Option<&Reliability>) -> String {
    let frame = Frame {
        left: 30.0,
        top: 8.0,
        width: 280.0,
        height: 240.0,
        x_range: (0.0, 1.0),
        y_range: (0.0, 1.0),
    };
    let ticks = unit_ticks(&[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    let mut inside = frame.grid(&ticks, &ticks);
    inside += &line("base", (frame.x(0.0), frame.y(0.0)), (frame.x(1.0), frame.y(1.0)));
    if let Some(before) = before {
        let filled = before.bins.iter().filter(|bin| bin.count > 0);
        inside += &frame.path("line before", filled.map(|b| (b.mean_probability, b.positive_frac)));
    }
    let filled = || reliability.bins.iter().filter(|bin| bin.count > 0);
    inside += &frame.path("line", filled().map(|b| (b.mean_probability, b.positive_frac)));
    let most = filled().map(|bin| bin.count).max().unwrap_or(1) as f64;
    for bin in filled() {
        let at = (frame.x(bin.mean_probability), frame.y(bin.positive_frac));
        let tip = format!(
            "{} pairs between {:.1} and {:.1}: stated {:.3}, observed {:.3}",
            bin.count, bin.low, bin.high, bin.mean_probability, bin.positive_frac
        );
        inside += &dot("point", at, 3.0 + 5.0 * (bin.count as f64 / most).sqrt(), &tip);
    }
    for bin in &reliability.bins {
        let x = frame.x(f64::midpoint(bin.low, bin.high));
        inside += &label("tick mid", x, 280.0, &short_count(bin.count));
    }
    inside += &label("tick mid", frame.x(0.5), 294.0, "stated probability, and pairs per bin");
    picture("chart", (320.0, 300.0), "Observed share against stated probability", &inside)
}

/// One genre's stated probabilities against observed shares.
pub(super) fn reliability_of(genre: &GenreReport) -> String {
    let frame = genre_frame();
    let ticks = unit_ticks(&[0.0, 0.5, 1.0]);
    let mut inside = frame.grid(&ticks, &ticks);
    inside += &line("base", (frame.x(0.0), frame.y(0.0)), (frame.x(1.0), frame.y(1.0)));
    let filled = || genre.reliability.bins.iter().filter(|bin| bin.count > 0);
    inside += &frame.path("line", filled().map(|b| (b.mean_probability, b.positive_frac)));
    for bin in filled() {
        let at = (frame.x(bin.mean_probability), frame.y(bin.positive_frac));
        let tip = format!(
            "{} titles: stated {:.3}, observed {:.3}",
            bin.count, bin.mean_probability, bin.positive_frac
        );
        inside += &dot("point", at, 2.5, &tip);
    }
    let what = format!("Observed share against stated probability of {}", genre.name);
    picture("chart", (158.0, 122.0), &what, &inside)
}

/// What stands in the page's style sheet, for pictures that stand alone.
const ALONE: &str = "text{font:9px system-ui,sans-serif;fill:#555}.mid{text-anchor:middle}\
    .end{text-anchor:end}.name{font-size:11px;fill:#222}.value{fill:#222}.strong{fill:#fff}\
    .cell{fill:#2563eb}.cell.own{fill:#e5e5e5}";

/// [`co_occurrence`] as a file of its own. `counts` `[genres, genres]`: titles that have both.
pub(super) fn co_occurrence_alone(genres: &[String], counts: &[Vec<u64>]) -> String {
    let inside = co_occurrence(genres, counts);
    let (tag, rest) = inside.split_once('>').unwrap_or((&inside, ""));
    let tag = tag.replacen("<svg", r#"<svg xmlns="http://www.w3.org/2000/svg""#, 1);
    format!("{tag}><style>{ALONE}</style>{rest}\n")
}

/// Of the titles with the row's genre, the share that also has the column's.
pub(super) fn co_occurrence(genres: &[String], counts: &[Vec<u64>]) -> String {
    const CELL: f64 = 25.0;
    let names: Vec<String> = genres.iter().map(|genre| shortened(genre, 18)).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64;
    let (left, top) = (10.0 + 6.4 * longest, 14.0 + 5.2 * longest);
    let side = CELL * names.len() as f64;
    let mut inside = String::new();
    for (g, name) in names.iter().enumerate() {
        let middle = (g as f64 + 0.5) * CELL;
        inside += &label("name end", left - 6.0, top + middle + 4.0, name);
        let (x, y) = (left + middle + 3.0, top - 5.0);
        let _ = write!(
            inside,
            r#"<text class="name" transform="translate({x:.1} {y:.1}) rotate(-55)">{}</text>"#,
            escape(name)
        );
    }
    for (row, counts) in counts.iter().enumerate() {
        let support = counts[row].max(1) as f64;
        for (column, &count) in counts.iter().enumerate() {
            let (x, y) = (left + column as f64 * CELL, top + row as f64 * CELL);
            let share = count as f64 / support;
            let own = row == column;
            let class = if own { "cell own" } else { "cell" };
            let tip = if own {
                format!("{}: {count} titles", genres[row])
            } else {
                let (a, b) = (&genres[row], &genres[column]);
                format!("{count} of the {} titles with {a} also have {b}", counts[row])
            };
            let opacity = if own { 1.0 } else { share.min(1.0) };
            let size = CELL - 1.0;
            let _ = write!(
                inside,
                r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{size}" height="{size}" fill-opacity="{opacity:.3}"><title>{}</title></rect>"#,
                escape(&tip)
            );
            let percent = (100.0 * share).round();
            if !own && percent >= 1.0 {
                let class = if share > 0.55 { "value strong mid" } else { "value mid" };
                let (x, y) = (x + size / 2.0, y + size / 2.0 + 3.0);
                inside += &label(class, x, y, &format!("{percent}"));
            }
        }
    }
    // Slanted names reach out to the right.
    let size = (left + side + 4.0 * longest, top + side + 2.0);
    picture("chart wide", size, "How often genres occur together", &inside)
}

/// Training loss and validation mAP over epochs, one line per fit.
pub(super) fn training(curves: &[TrainingCurve]) -> (String, String) {
    let loss = epochs(curves, "Training loss per epoch", |curve| &curve.train_loss);
    let map = epochs(curves, "Validation mAP per epoch", |curve| &curve.valid_map);
    (loss, map)
}

fn epochs(
    curves: &[TrainingCurve],
    what: &str,
    series: impl Fn(&TrainingCurve) -> &Vec<f64>,
) -> String {
    let finite = || curves.iter().flat_map(&series).copied().filter(|v| v.is_finite());
    let num_epochs = curves.iter().map(|c| series(c).len()).max().unwrap_or(0);
    if num_epochs == 0 || finite().next().is_none() {
        return String::new();
    }
    let (low, high) = finite()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let room = (0.06 * (high - low)).max(1e-6);
    let frame = Frame {
        left: 40.0,
        top: 8.0,
        width: 290.0,
        height: 170.0,
        x_range: (1.0, (num_epochs as f64).max(2.0)),
        y_range: (low - room, high + room),
    };
    let x_ticks: Vec<_> = round_ticks(frame.x_range, 6)
        .into_iter()
        .filter(|v| v.fract() == 0.0)
        .map(|v| (v, format!("{v}")))
        .collect();
    let y_values = round_ticks(frame.y_range, 5);
    let step = y_values.get(1).zip(y_values.first()).map_or(1.0, |(b, a)| b - a);
    let digits = (-step.log10().floor()).clamp(0.0, 4.0) as usize;
    let y_ticks: Vec<_> = y_values.into_iter().map(|v| (v, format!("{v:.digits$}"))).collect();
    let mut inside = frame.grid(&x_ticks, &y_ticks);
    for curve in curves {
        let values = series(curve);
        let at = |k: usize| (k as f64 + 1.0, values[k]);
        let points = (0..values.len()).filter(|&k| values[k].is_finite()).map(at);
        inside += &frame.path("line thin", points);
        if let Some(&value) = values.get(curve.best_epoch).filter(|v| v.is_finite()) {
            let (x, y) = at(curve.best_epoch);
            let tip = format!("{}: kept epoch {x}, {value:.4}", curve.name);
            inside += &dot("point", (frame.x(x), frame.y(y)), 3.0, &tip);
        }
    }
    picture("chart", (340.0, 196.0), what, &inside)
}

/// About `count` round numbers inside a range.
fn round_ticks((low, high): (f64, f64), count: usize) -> Vec<f64> {
    let rough = (high - low) / count as f64;
    if !(rough.is_finite() && rough > 0.0) {
        return vec![low];
    }
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|k| k as f64 * step).collect()
}

fn shortened(name: &str, max_chars: usize) -> String {
    if name.chars().count() <= max_chars {
        return name.to_owned();
    }
    name.chars().take(max_chars - 1).chain(['…']).collect()
}

fn short_count(count: u64) -> String {
    match count {
        0..1000 => count.to_string(),
        1000..10_000 => format!("{:.1}k", count as f64 / 1e3),
        10_000..1_000_000 => format!("{:.0}k", count as f64 / 1e3),
        _ => format!("{:.1}M", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(round_ticks((1.0, 30.0), 6), [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]);
        assert_eq!(round_ticks((0.0, 0.0), 5), [0.0]);
        assert!(round_ticks((0.31, 0.58), 5).iter().all(|t| (0.31..=0.58).contains(t)));
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escape("<b> \"&'\u{1}"), "&lt;b&gt; &quot;&amp;&#39;\u{fffd}");
        assert_eq!(shortened("Fantasy", 7), "Fantasy");
        assert_eq!(shortened("Fantasy", 4), "Fan…");
        assert_eq!([999, 1500, 97_800, 2_500_000].map(short_count), ["999", "1.5k", "98k", "2.5M"]);
    }

    #[test]
    fn one_epoch_and_no_epochs_draw_without_nan() {
        let one = TrainingCurve {
            name: "fold 0".into(),
            train_loss: vec![0.4],
            valid_map: vec![f64::NAN],
            best_epoch: 0,
        };
        let (loss, map) = training(&[one]);
        assert!(loss.contains("<svg") && !loss.contains("NaN"), "{loss}");
        assert_eq!(map, "");
        assert_eq!(training(&[]).0, "");
    }
}
