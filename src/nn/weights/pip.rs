//! Package indexes: which one the user has set, and which file of it is the one wanted.
//!
//! source: PEP 503 and PEP 691 (simple index as HTML and JSON), PEP 592 (yanked files);
//! pip's user guide, "Configuration", for files and variables.

use std::{
    env,
    path::{Path, PathBuf},
};

use base::{Digest, file};
use serde::Deserialize;

use super::manifest::Wheel;

const DEFAULT_INDEX: &str = "https://pypi.org/simple";
/// What a simple index is asked for: JSON, else HTML.
pub(super) const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// What pip would use on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PipSettings {
    pub index_url: Option<String>,
    /// PEM bundle of certificates to trust instead of the system's.
    pub cert: Option<PathBuf>,
}

impl PipSettings {
    /// Reads pip's variables and configuration files.
    pub(super) fn of_this_machine() -> Self {
        let var = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self::read(&var, &config_files(&var))
    }

    fn read(var: &dyn Fn(&str) -> Option<String>, files: &[PathBuf]) -> Self {
        let mut settings = Self::default();
        for text in files.iter().filter_map(|path| file::read_to_string(path).ok()) {
            for (key, value) in global_options(&text) {
                match key.as_str() {
                    "index-url" => settings.index_url = Some(value),
                    "cert" => settings.cert = Some(value.into()),
                    _ => {}
                }
            }
        }
        settings.index_url = var("PIP_INDEX_URL").or(settings.index_url);
        settings.cert = var("PIP_CERT").map(PathBuf::from).or(settings.cert);
        settings
    }

    pub(super) fn index_url(&self) -> &str {
        self.index_url.as_deref().unwrap_or(DEFAULT_INDEX)
    }
}

/// Later files win, as with pip.
fn config_files(var: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let override_file = var("PIP_CONFIG_FILE").map(PathBuf::from);
    if override_file.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new(); // pip: no configuration file at all
    }
    let mut files = vec![PathBuf::from("/etc/xdg/pip/pip.conf"), PathBuf::from("/etc/pip.conf")];
    if let Some(home) = var("HOME").map(PathBuf::from) {
        files.push(home.join(".pip/pip.conf"));
        let config = var("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
        files.push(config.join("pip/pip.conf"));
        files.push(home.join("Library/Application Support/pip/pip.conf"));
    }
    if let Some(venv) = var("VIRTUAL_ENV").map(PathBuf::from) {
        files.push(venv.join("pip.conf"));
    }
    files.extend(override_file);
    files
}

/// `key = value` of the sections that hold for downloads.
fn global_options(text: &str) -> Vec<(String, String)> {
    let mut relevant = false;
    let mut options = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            relevant = matches!(section.trim(), "global" | "download");
        } else if relevant
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once(['=', ':'])
        {
            options.push((key.trim().replace('_', "-"), value.trim().to_owned()));
        }
    }
    options.retain(|(_, value)| !value.is_empty());
    options
}

/// Address of a project's page in an index.
pub(super) fn project_url(index: &str, package: &str) -> String {
    format!("{}/{}/", index.trim_end_matches('/'), normalized(package))
}

/// PEP 503 name.
fn normalized(package: &str) -> String {
    package
        .to_lowercase()
        .split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

#[derive(Deserialize)]
struct Page {
    files: Vec<PageFile>,
}

#[derive(Deserialize)]
struct PageFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: std::collections::HashMap<String, String>,
}

/// The wheel's address on a project's page; `page_url` resolves relative addresses.
///
/// The file is found by its pinned digest, or by its name where the index states none; a
/// yanked file is taken, since its digest is pinned.
pub(super) fn wheel_url(
    page: &[u8],
    is_json: bool,
    page_url: &str,
    wheel: &Wheel,
) -> Result<String, String> {
    let files = if is_json {
        let page: Page = serde_json::from_slice(page)
            .map_err(|e| format!("{page_url} is no simple index: {e}"))?;
        page.files
            .into_iter()
            .map(|file| (file.filename, file.url, file.hashes.get("sha256").cloned()))
            .collect()
    } else {
        html_files(&String::from_utf8_lossy(page))
    };
    let digest =
        |stated: &Option<String>| stated.as_ref().and_then(|text| text.parse::<Digest>().ok());
    let found =
        files.iter().find(|(_, _, stated)| digest(stated) == Some(wheel.sha256)).or_else(|| {
            files.iter().find(|(name, _, stated)| *name == wheel.file && digest(stated).is_none())
        });
    match found {
        Some((_, url, _)) => Ok(resolve(page_url, url)),
        None if files.iter().any(|(name, _, _)| *name == wheel.file) => {
            Err(format!("{page_url} has another {} than the pinned one", wheel.file))
        }
        None => Err(format!("{page_url} does not list {}", wheel.file)),
    }
}

/// `(file name, address, sha256)` of a PEP 503 page.
fn html_files(page: &str) -> Vec<(String, String, Option<String>)> {
    page.split("<a ")
        .skip(1)
        .filter_map(|anchor| {
            let rest = &anchor[anchor.find("href=")? + 5..];
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let href = rest[1..].split(quote).next()?.replace("&amp;", "&");
            let (url, fragment) = href.split_once('#').unwrap_or((&href, ""));
            let name = url.split('?').next()?.rsplit('/').next()?.to_owned();
            Some((name, url.to_owned(), fragment.strip_prefix("sha256=").map(str::to_owned)))
        })
        .collect()
}

/// RFC 3986 reference resolution, as far as indexes use it.
pub(super) fn resolve(base: &str, reference: &str) -> String {
    if reference.contains("://") {
        return reference.to_owned();
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{scheme}://{rest}");
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut segments: Vec<&str> = if reference.starts_with('/') {
        Vec::new()
    } else {
        let mut folders: Vec<_> = path.split('/').collect();
        folders.pop();
        folders
    };
    for segment in reference.trim_start_matches('/').split('/') {
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    format!("{scheme}://{host}/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn wheel() -> Wheel {
        Wheel {
            package: "Tiny_Model".to_owned(),
            version: "1.0".to_owned(),
            file: "tiny_model-1.0-py3-none-any.whl".to_owned(),
            bytes: 3,
            sha256: Digest::of_bytes(b"abc"),
        }
    }

    #[test]
    fn settings_come_from_files_in_order_and_variables_win() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a.conf"), folder.path().join("b.conf"));
        fs::write(&first, "[global]\nindex-url = https://a/simple\ncert=/a.pem\n").unwrap();
        fs::write(
            &second,
            "[install]\nindex-url=https://no\n[download]\n# x\nindex_url: https://b/s\n",
        )
        .unwrap();
        let files = [first, second, folder.path().join("missing")];
        let settings = PipSettings::read(&|_| None, &files);
        assert_eq!(settings.index_url(), "https://b/s");
        assert_eq!(settings.cert, Some("/a.pem".into()));
        let var = |name: &str| (name == "PIP_INDEX_URL").then(|| "https://c".to_owned());
        assert_eq!(PipSettings::read(&var, &files).index_url(), "https://c");
        assert_eq!(PipSettings::read(&|_| None, &[]).index_url(), DEFAULT_INDEX);
        let null = |name: &str| (name == "PIP_CONFIG_FILE").then(|| "/dev/null".to_owned());
        assert!(config_files(&null).is_empty());
    }

    #[test]
    fn a_wheel_is_found_by_digest_in_json_and_html() {
        let sha = Digest::of_bytes(b"abc");
        let json = format!(
            r#"{{"files":[{{"filename":"x.tar.gz","url":"https://f/x"}},
                {{"filename":"tiny_model-1.0-py3-none-any.whl","url":"../../f/t.whl","hashes":{{"sha256":"{sha}"}}}}]}}"#
        );
        let page = project_url("https://h/index/simple/", "Tiny_Model");
        assert_eq!(page, "https://h/index/simple/tiny-model/");
        let url = wheel_url(json.as_bytes(), true, &page, &wheel()).unwrap();
        assert_eq!(url, "https://h/index/f/t.whl");
        let html = format!(
            r#"<a href="/p/tiny_model-1.0-py3-none-any.whl?a=1&amp;b=2#sha256={sha}">t</a>"#
        );
        let url = wheel_url(html.as_bytes(), false, &page, &wheel()).unwrap();
        assert_eq!(url, "https://h/p/tiny_model-1.0-py3-none-any.whl?a=1&b=2");
        let unhashed = r"<a href='//m/tiny_model-1.0-py3-none-any.whl'>t</a>";
        let url = wheel_url(unhashed.as_bytes(), false, &page, &wheel()).unwrap();
        assert_eq!(url, "https://m/tiny_model-1.0-py3-none-any.whl");
    }

    #[test]
    fn a_page_without_the_pinned_wheel_is_told_apart_from_one_with_another() {
        let other = Digest::of_bytes(b"other");
        let html = format!(r#"<a href="tiny_model-1.0-py3-none-any.whl#sha256={other}">t</a>"#);
        let error = wheel_url(html.as_bytes(), false, "https://h/s/", &wheel()).unwrap_err();
        assert!(error.contains("another"), "{error}");
        let error = wheel_url(b"<html>", false, "https://h/s/", &wheel()).unwrap_err();
        assert!(error.contains("does not list"), "{error}");
        assert!(wheel_url(b"<html>", true, "https://h/s/", &wheel()).is_err());
    }
}
