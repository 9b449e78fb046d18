//! Fetching over HTTP: proxy and certificates of the machine, and downloads that go on where
//! they were cut.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::Path,
    thread,
    time::Duration,
};

use base::{Interrupt, Interrupted, Progress, file};
use ureq::{
    Agent, Body,
    config::Config,
    http::{Response, Uri},
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use super::{WeightsError, pip::PipSettings};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection that delivers nothing for so long is dropped; the download then goes on anew.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// Attempts in a row without a single byte gained.
const MAX_FRUITLESS_ATTEMPTS: u32 = 3;

/// Why a fetch failed: for the list of sources that were tried, or for good.
#[derive(Debug)]
pub(super) enum FetchError {
    /// This source cannot serve; another may.
    Source(String),
    /// Nothing else will help: disk full, interrupted.
    Fatal(WeightsError),
}

impl From<Interrupted> for FetchError {
    fn from(interrupted: Interrupted) -> Self {
        Self::Fatal(interrupted.into())
    }
}

/// Fetches with the machine's certificates and proxy.
pub(super) struct Fetcher {
    direct: Agent,
    proxied: Agent,
}

impl Fetcher {
    pub(super) fn new(settings: &PipSettings) -> Result<Self, WeightsError> {
        let roots = match &settings.cert {
            None => RootCerts::PlatformVerifier, // honours SSL_CERT_FILE and SSL_CERT_DIR
            Some(path) => {
                let pem = file::read(path).map_err(WeightsError::io(path))?;
                let certificates = parse_pem(&pem).filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                });
                RootCerts::from(certificates)
            }
        };
        let config = || {
            Agent::config_builder()
                .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
                .http_status_as_error(false)
                .timeout_connect(Some(CONNECT_TIMEOUT))
                .timeout_per_read(Some(SILENCE_TIMEOUT))
                .user_agent(concat!("cinetag/", env!("CARGO_PKG_VERSION")))
        };
        let agent = |config: Config| config.new_agent();
        Ok(Self {
            direct: agent(config().proxy(None).build()),
            proxied: agent(config().build()), // HTTPS_PROXY and the like, NO_PROXY
        })
    }

    fn get(&self, url: &str, headers: &[(&str, String)]) -> Result<Response<Body>, FetchError> {
        let shown = without_credentials(url);
        let uri: Uri =
            shown.parse().map_err(|e| FetchError::Source(format!("{shown} is no address: {e}")))?;
        let is_loopback =
            uri.host().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
        let agent = if is_loopback { &self.direct } else { &self.proxied };
        let mut request = agent.get(uri);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(credentials) = credentials(url) {
            request = request
                .header("authorization", format!("Basic {}", base64(credentials.as_bytes())));
        }
        request.call().map_err(|e| FetchError::Source(format!("{shown}: {e}")))
    }

    /// A small document and whether it is JSON.
    pub(super) fn document(&self, url: &str, accept: &str) -> Result<(Vec<u8>, bool), FetchError> {
        let mut response = self.get(url, &[("accept", accept.to_owned())])?;
        let shown = without_credentials(url);
        if !response.status().is_success() {
            return Err(FetchError::Source(format!("{shown}: HTTP {}", response.status())));
        }
        let is_json = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.contains("json"));
        let body = response
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_vec()
            .map_err(|e| FetchError::Source(format!("{shown}: {e}")))?;
        Ok((body, is_json))
    }

    /// Fetches `url` into `part`, going on where an earlier attempt stopped. On return the file
    /// has `bytes` bytes; whether they are the right ones is the caller's to check.
    pub(super) fn download(
        &self,
        url: &str,
        part: &Path,
        bytes: u64,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(), FetchError> {
        let fatal = |e| FetchError::Fatal(WeightsError::io(part)(e));
        let size = || fs::metadata(part).map_or(0, |meta| meta.len());
        if size() > bytes {
            fs::remove_file(part).map_err(fatal)?;
        }
        let mut reported = size();
        progress.advance(reported);
        let mut fruitless = 0;
        loop {
            interrupt.check()?;
            let start = size();
            if start >= bytes {
                return Ok(());
            }
            let failure =
                match self.attempt(url, part, start, bytes, &mut reported, progress, interrupt) {
                    Ok(()) if size() >= bytes => return Ok(()),
                    Ok(()) => format!("{}: the connection ended early", without_credentials(url)),
                    Err(FetchError::Source(reason)) => reason,
                    Err(fatal) => return Err(fatal),
                };
            fruitless = if size() > start { 0 } else { fruitless + 1 };
            if fruitless == MAX_FRUITLESS_ATTEMPTS {
                return Err(FetchError::Source(failure));
            }
            progress.note(&format!("{failure}; going on at {} of {bytes} bytes", size()));
            if fruitless > 0 {
                thread::sleep(Duration::from_millis(300 << fruitless));
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn attempt(
        &self,
        url: &str,
        part: &Path,
        start: u64,
        bytes: u64,
        reported: &mut u64,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(), FetchError> {
        let fatal = |e| FetchError::Fatal(WeightsError::io(part)(e));
        let shown = without_credentials(url);
        let mut headers = vec![("accept-encoding", "identity".to_owned())];
        if start > 0 {
            headers.push(("range", format!("bytes={start}-")));
        }
        let mut response = self.get(url, &headers)?;
        let mut written = match response.status().as_u16() {
            206 if continues_at(&response, start) => start,
            200 => 0, // the server gives the whole file
            status => return Err(FetchError::Source(format!("{shown}: HTTP {status}"))),
        };
        let mut file = if written > 0 {
            OpenOptions::new().append(true).open(part).map_err(fatal)?
        } else {
            File::create(part).map_err(fatal)?
        };
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            interrupt.check()?;
            let count = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(e) => return Err(FetchError::Source(format!("{shown}: {e}"))),
            };
            written += count as u64;
            if written > bytes {
                drop(file);
                fs::remove_file(part).map_err(fatal)?;
                return Err(FetchError::Source(format!("{shown}: is longer than {bytes} bytes")));
            }
            file.write_all(&buffer[..count]).map_err(fatal)?;
            if written > *reported {
                progress.advance(written - *reported);
                *reported = written;
            }
        }
    }
}

fn continues_at(response: &Response<Body>, start: u64) -> bool {
    response
        .headers()
        .get("content-range")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|range| range.starts_with(&format!("bytes {start}-")))
}

/// `user:password` of an address.
fn credentials(url: &str) -> Option<String> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(credentials, _)| percent_decoded(credentials))
}

/// The address as it may be shown and logged.
pub(super) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        bytes.push(hex.unwrap_or(*first));
        rest = if hex.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// RFC 4648, for the Authorization header.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for idx in 0..4 {
            let sextet = (word >> (18 - 6 * idx)) & 63;
            text.push(if idx <= chunk.len() { ALPHABET[sextet as usize] as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_sent_and_never_shown() {
        let url = "https://me:p%40ss@mirror.example/simple/x/?a=@#f";
        assert_eq!(credentials(url).unwrap(), "me:p@ss");
        assert_eq!(without_credentials(url), "https://mirror.example/simple/x/?a=@#f");
        assert_eq!(credentials("https://mirror.example/@x"), None);
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), encoded); // RFC 4648, section 10
        }
    }
}
