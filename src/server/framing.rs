//! Detection of ambiguous requests, against request smuggling.
//!
//! Two servers may see the end of an ambiguous request in different places. If an attacker sends one through a proxy,
//! and the proxy and this server disagree about its end, the attacker can hide a second request in it. The hidden
//! request bypasses the rules of the proxy and may run as another client. RFC 9112 lets a server reject ambiguous
//! requests. hyper rejects most of them. It accepts a bare LF, several lengths, a length together with a transfer
//! coding, several transfer codings, and several hosts or none. This module therefore scans the bytes of the connection
//! before hyper parses them.
//!
//! The interface: a `FramingScanner` scans the bytes of one connection, and returns the `Framing` of each request in
//! the order of arrival. The connection closes after every request that is not `Framing::Unambiguous`, and
//! `middleware::head_limits` rejects every request that is `Framing::Ambiguous`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The maximum size of a request head, in bytes. The limits of the middleware are lower, so that it can respond with a
/// problem.
pub(super) const MAX_HEAD_BYTES: u16 = u16::MAX;
/// The maximum length of a line, in bytes.
const MAX_LINE_BYTES: usize = MAX_HEAD_BYTES as usize;
/// The first line of every HTTP/2 connection (RFC 9113 section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// How certain the end of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Every server sees the end of the request, and the start of the next one, in the same place.
    Unambiguous,
    /// The request is unambiguous, but its body is chunked, and the scanner does not follow chunks. It must be the last
    /// request of its connection.
    Last,
    /// Two servers may see the end of the request in different places, for this reason.
    Ambiguous(&'static str),
}

/// The scanner of one connection. Clones share their state.
#[derive(Clone, Debug, Default)]
pub(super) struct FramingScanner(Arc<Mutex<Scanner>>);

impl FramingScanner {
    /// Scans the next bytes of the connection.
    pub(super) fn scan(&self, bytes: &[u8]) {
        self.scanner().scan(bytes);
    }

    /// Returns the framing of the next request, in the order of arrival. Call it once for each request from hyper.
    pub(super) fn next_request(&self) -> Framing {
        // hyper found a request that the scanner did not find, so the two disagree.
        self.scanner().found.pop_front().unwrap_or(Framing::Ambiguous("the head is malformed"))
    }

    /// Returns whether the bytes scanned so far end inside a request head.
    pub(super) fn is_inside_head(&self) -> bool {
        self.scanner().is_inside_head()
    }

    fn scanner(&self) -> MutexGuard<'_, Scanner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Scanner {
    position: Position,
    /// The bytes of an incomplete line.
    line: Vec<u8>,
    head: Head,
    /// The framing of requests that hyper has not read yet.
    found: VecDeque<Framing>,
}

/// The position of the scanner in the stream.
#[derive(Debug, Default)]
enum Position {
    /// Inside a head, or between two requests.
    #[default]
    Head,
    /// Inside a body, with this many bytes left.
    Body(u64),
    /// After the part that needs scanning: in HTTP/2, or in the last request of the connection.
    Finished,
}

impl Scanner {
    fn scan(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.position {
                Position::Finished => return,
                Position::Body(remaining) => self.skip_body(remaining, bytes),
                Position::Head => self.scan_line(bytes),
            };
        }
    }

    /// Skips bytes of a body. Returns the bytes after it.
    fn skip_body<'a>(&mut self, remaining: u64, bytes: &'a [u8]) -> &'a [u8] {
        let end = usize::try_from(remaining).unwrap_or(usize::MAX);
        let (body, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));

        self.position = match remaining.saturating_sub(body.len() as u64) {
            0 => Position::Head,
            remaining => Position::Body(remaining),
        };
        rest
    }

    /// Scans up to the end of the current line. Returns the bytes after it.
    fn scan_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
        let (Some(end), Some(rest)) = (parts.next(), parts.next()) else {
            self.line.extend_from_slice(bytes);
            if self.line.len() > MAX_LINE_BYTES {
                self.position = Position::Finished;
            }
            return &[];
        };

        self.line.extend_from_slice(end);
        let line = std::mem::take(&mut self.line);
        self.end_line(&line);
        rest
    }

    fn end_line(&mut self, line: &[u8]) {
        match line.strip_suffix(b"\r") {
            // Servers ignore empty lines before a request (RFC 9112 section 2.2).
            Some([]) if !self.head.has_begun => {}
            Some([]) => self.end_head(),
            Some(HTTP2_PREFACE) if !self.head.has_begun => self.position = Position::Finished,
            Some(line) => self.head.add_line(line),
            None => {
                self.head.fault = Some("a line of the head ends without CR");
                self.end_head();
            }
        }
    }

    fn end_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        let framing = head.framing();
        self.found.push_back(framing);

        self.position = match framing {
            Framing::Unambiguous if head.length > 0 => Position::Body(head.length),
            Framing::Unambiguous => Position::Head,
            Framing::Last | Framing::Ambiguous(_) => Position::Finished,
        };
    }

    fn is_inside_head(&self) -> bool {
        matches!(self.position, Position::Head) && (self.head.has_begun || !self.line.is_empty())
    }
}

/// The parts of a head that determine the framing.
#[derive(Debug, Default)]
struct Head {
    has_begun: bool,
    is_http_1_0: bool,
    hosts: usize,
    lengths: usize,
    /// The last length.
    length: u64,
    transfer_codings: usize,
    fault: Option<&'static str>,
}

impl Head {
    fn add_line(&mut self, line: &[u8]) {
        if self.has_begun {
            self.add_header(line);
        } else {
            self.has_begun = true;
            self.is_http_1_0 = line.ends_with(b" HTTP/1.0");
        }
    }

    fn add_header(&mut self, line: &[u8]) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        // hyper rejects a head with a line that has no colon.
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { return };
        let value = value.trim_ascii();

        if name.eq_ignore_ascii_case(b"host") {
            self.hosts = self.hosts.saturating_add(1);
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths = self.lengths.saturating_add(1);
            match parse_length(value) {
                Some(length) => self.length = length,
                None => self.fault = Some("Content-Length is not a number"),
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.transfer_codings = self.transfer_codings.saturating_add(1);
            if !value.eq_ignore_ascii_case(b"chunked") {
                self.fault = Some("Transfer-Encoding is not `chunked` alone");
            }
        }
    }

    fn framing(&self) -> Framing {
        if let Some(fault) = self.fault {
            return Framing::Ambiguous(fault);
        }
        match (self.hosts, self.lengths, self.transfer_codings) {
            (2.., ..) => Framing::Ambiguous("the head has several Host headers"),
            (0, ..) if !self.is_http_1_0 => Framing::Ambiguous("the head has no Host header"),
            (_, 2.., _) => Framing::Ambiguous("the head has several Content-Length headers"),
            (.., 2..) => Framing::Ambiguous("the head has several Transfer-Encoding headers"),
            (_, 1, 1) => Framing::Ambiguous("the head has both Content-Length and Transfer-Encoding"),
            (.., 1) => Framing::Last,
            _ => Framing::Unambiguous,
        }
    }
}

/// Parses a length of decimal digits only: no sign, no list, no other base.
fn parse_length(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}
