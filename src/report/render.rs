//! The page and the text, from templates in `assets/report/`.
//!
//! The HTML template escapes everything but the plots, which escape their own text.

use eval::{Headline, Interval};
use minijinja::{AutoEscape, Environment, Value, context, syntax::SyntaxConfig, value::Serde};

use super::{
    Circumstances, ReportError, ablation::AblationReport, caveats, model::EvaluationReport, svg,
};

const HTML: &str = include_str!("../../assets/report/report.html.jinja");
pub(super) const STYLE: &str = include_str!("../../assets/report/report.css");
pub(super) const SHEET_STYLE: &str = include_str!("../../assets/report/contact_sheet.css");
const SHEET: &str = include_str!("../../assets/report/contact_sheet.html.jinja");
const MARKDOWN: &str = include_str!("../../assets/report/report.md.jinja");
const ABLATION_HTML: &str = include_str!("../../assets/report/ablation.html.jinja");
const ABLATION_MARKDOWN: &str = include_str!("../../assets/report/ablation.md.jinja");

/// The self-contained page.
pub(super) fn html(report: &EvaluationReport) -> Result<String, ReportError> {
    let environment = environment()?;
    let genres: Vec<String> = report.genres.iter().map(|genre| genre.name.clone()).collect();
    let safe = |svg: String| Value::from_safe_string(svg);
    let (loss, map) = svg::training(&report.training);
    let curves: Vec<Value> = report
        .genres
        .iter()
        .filter(|genre| genre.metrics.support > 0)
        .map(|genre| {
            context! {
                name => genre.name.as_str(),
                ap => genre.metrics.ap,
                support => genre.metrics.support,
                svg => safe(svg::pr_curve(genre)),
                calibration => safe(svg::reliability_of(genre)),
                error => genre.reliability.expected_calibration_error,
            }
        })
        .collect();
    let plots = context! {
        curves,
        reliability => safe(svg::reliability(&report.reliability, report.uncalibrated.as_ref())),
        co_occurrence => safe(svg::co_occurrence(&genres, &report.co_occurrence)),
        training_loss => safe(loss),
        training_map => safe(map),
        style => safe(STYLE.to_owned()),
    };
    let template = environment.get_template("report.html")?;
    Ok(template.render(context! { plots, ..shared(report) })?)
}

/// The same figures as text.
pub(super) fn markdown(report: &EvaluationReport) -> Result<String, ReportError> {
    let environment = environment()?;
    Ok(environment.get_template("report.md")?.render(shared(report))?)
}

/// The page of an ablation.
pub(super) fn ablation_html(report: &AblationReport) -> Result<String, ReportError> {
    let environment = environment()?;
    let style = Value::from_safe_string(STYLE.to_owned());
    let template = environment.get_template("ablation.html")?;
    Ok(template.render(context! { style, ..of_ablation(report) })?)
}

/// The same figures as text.
pub(super) fn ablation_markdown(report: &AblationReport) -> Result<String, ReportError> {
    let environment = environment()?;
    Ok(environment.get_template("ablation.md")?.render(of_ablation(report))?)
}

fn of_ablation(report: &AblationReport) -> Value {
    let systems = report.systems.iter().map(|system| system.figures);
    let top = systems
        .chain(report.missing.iter().map(|row| row.figures))
        .flat_map(|figures| [figures.macro_f1.high, figures.map.high])
        .fold(0.1, f64::max);
    let of_dropped = report.dropped.iter().map(|dropped| {
        let rows = dropped.aware.entries().into_iter().zip(dropped.zeros.entries());
        let rows =
            rows.zip(dropped.gain.entries()).map(|(((name, aware), (_, zeros)), (_, gain))| {
                context! {
                    name,
                    aware => Value::from(Serde(aware)),
                    zeros => Value::from(Serde(zeros)),
                    gain => Value::from(Serde(gain)),
                }
            });
        rows.collect::<Vec<_>>()
    });
    context! {
        report => Value::from(Serde(report)),
        dropped => of_dropped.flatten().collect::<Vec<_>>(),
        few_positives => caveats::few_positives(
            report.genres.iter().map(String::as_str).zip(report.genre_positives.iter().copied()),
        ),
        scale => (top * 1.05).min(1.0),
        circumstances => of_circumstances(&report.circumstances),
        stands_on => stands_on(report.num_titles, &report.provenance.split_digest),
    }
}

pub(super) fn environment() -> Result<Environment<'static>, ReportError> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| {
        if std::path::Path::new(name).extension().is_some_and(|e| e == "html") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    environment.add_filter("f3", |value: Value| decimals(&value, 3));
    environment.add_filter("f4", |value: Value| decimals(&value, 4));
    environment.add_filter("f2", |value: Value| decimals(&value, 2));
    environment.add_filter("signed", signed);
    environment.add_filter("percent", |value: f64| format!("{:.1} %", 100.0 * value));
    environment.add_filter("whole_percent", |value: f64| format!("{:.0}", 100.0 * value));
    environment.add_filter("css", |value: Value| {
        f64::try_from(value).map_or_else(|_| "0".to_owned(), |v| format!("{:.4}", v.max(0.0)))
    });
    environment.add_filter("thousands", |value: u64| thousands(value));
    environment.add_filter("duration", duration);
    environment.add_filter("p_value", p_value);
    environment.add_filter("cell", |text: String| markdown_cell(&text));
    environment.add_template("report.html", HTML)?;
    environment.add_filter("clock", clock);
    environment.add_template("contact_sheet.html", SHEET)?;
    environment.add_template("report.md", MARKDOWN)?;
    environment.add_template("ablation.html", ABLATION_HTML)?;
    environment.add_template("ablation.md", ABLATION_MARKDOWN)?;
    Ok(environment)
}

/// `1:02.5`: minutes and seconds.
fn clock(secs: f64) -> String {
    let tenths = (10.0 * secs).round().max(0.0) as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

/// What both templates see: the report with a few things said in words.
fn shared(report: &EvaluationReport) -> Value {
    let headline = entries(&report.intervals)
        .into_iter()
        .zip(report.fold_mean.entries())
        .zip(report.fold_sd.entries())
        .map(|(((name, interval), (_, mean)), (_, sd))| context! { name, interval, mean, sd })
        .collect::<Vec<_>>();
    let top_of_intervals = report
        .alone
        .iter()
        .map(|alone| alone.all)
        .chain([report.intervals])
        .flat_map(|headline| [headline.macro_f1.high, headline.map.high])
        .fold(0.1, f64::max);
    context! {
        report => Value::from(Serde(report)),
        headline,
        verdict => verdict(report),
        few_positives => caveats::few_positives(
            report.genres.iter().map(|genre| (genre.name.as_str(), genre.metrics.support)),
        ),
        has_weights => report.genres.iter().any(|genre| !genre.fusion_weights.is_empty()),
        has_training => report.training.iter().any(|curve| !curve.train_loss.is_empty()),
        // Shared scale of all interval bars: a little more than the highest bound.
        scale => (top_of_intervals * 1.05).min(1.0),
        circumstances => of_circumstances(&report.circumstances),
        stands_on => stands_on(report.fusion.num_titles, &report.provenance.split_digest),
    }
}

fn entries(intervals: &Headline<Interval>) -> Vec<(&'static str, Value)> {
    intervals.entries().map(|(name, v)| (name, Value::from(Serde(v)))).into()
}

fn of_circumstances(circumstances: &Circumstances) -> Value {
    let stages = circumstances.stages.iter();
    context! {
        when => circumstances.when.as_str(),
        machine => circumstances.machine.as_str(),
        device => circumstances.device.as_str(),
        command_line => circumstances.command_line.as_str(),
        stages => stages
            .map(|stage| context! { name => stage.name.as_str(), seconds => stage.seconds })
            .collect::<Vec<_>>(),
    }
}

/// What every figure stands on, in one line.
fn stands_on(num_titles: usize, split_digest: &str) -> String {
    let short: String = split_digest.chars().take(12).collect();
    let titles = thousands(num_titles as u64);
    if short.is_empty() {
        format!("{titles} titles")
    } else {
        format!("{titles} titles, split {short}")
    }
}

/// Whether the fusion beats its parts, said plainly.
fn verdict(report: &EvaluationReport) -> String {
    if report.alone.is_empty() {
        return String::new();
    }
    let mut sentences = Vec::new();
    for (k, figure) in [(1, "macro F1"), (4, "mAP")] {
        let gain = |alone: &super::AloneReport| *alone.fusion_gain.entries()[k].1;
        let value = *report.fusion.headline().entries()[k].1;
        let best = report.alone.iter().max_by(|a, b| {
            let at = |alone: &super::AloneReport| alone.all.entries()[k].1.value;
            at(a).total_cmp(&at(b))
        });
        let Some(best) = best else { continue };
        let (name, alone, d) = (&best.modality, best.all.entries()[k].1.value, gain(best));
        let compared = if d.difference.low > 0.0 {
            "beats"
        } else if d.difference.high < 0.0 {
            "is worse than"
        } else {
            "cannot be told from"
        };
        sentences.push(format!(
            "On {figure} the fusion ({value:.3}) {compared} the best single modality, {name} \
             ({alone:.3}): difference {}, {:.0} % interval {} to {}, p {}.",
            signed(d.difference.value),
            100.0 * report.interval_level,
            signed(d.difference.low),
            signed(d.difference.high),
            p_value(d.p_value),
        ));
    }
    sentences.push("Bootstrap over titles: the fitted models are held fixed.".to_owned());
    sentences.join(" ")
}

fn signed(value: f64) -> String {
    format!("{value:+.3}").replace('-', "−")
}

fn decimals(value: &Value, digits: usize) -> String {
    match f64::try_from(value.clone()) {
        Ok(number) if number.is_finite() => format!("{number:.digits$}").replace('-', "−"),
        _ => "–".to_owned(),
    }
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("= {p:.3}") }
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn duration(secs: f64) -> String {
    let whole = secs.round() as u64;
    match whole {
        _ if secs < 9.95 => format!("{secs:.1} s"),
        0..120 => format!("{whole} s"),
        120..7200 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// Text of others inside a Markdown table or paragraph.
fn markdown_cell(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '#' => out.extend(['\\', c]),
            '<' => out += "&lt;",
            '&' => out += "&amp;",
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_plainly() {
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(61.2), "61 s");
        assert_eq!(duration(605.0), "10 min 05 s");
        assert_eq!(duration(7300.0), "2 h 01 min");
        assert_eq!(p_value(0.000_2), "< 0.001");
        assert_eq!(p_value(0.25), "= 0.250");
        assert_eq!(decimals(&Value::from(()), 3), "–");
        assert_eq!(decimals(&Value::from(-0.5), 2), "−0.50");
        assert_eq!(markdown_cell("a|b*<c>\n"), "a\\|b\\*&lt;c> ");
    }
}
