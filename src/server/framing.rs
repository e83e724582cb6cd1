//! Where one HTTP/1 request ends and the next begins, read from the bytes before hyper sees them. hyper takes some
//! requests that another server in front of it may divide differently (a bare LF, two lengths, a length beside a
//! transfer coding, several codings); whoever gets two servers to disagree smuggles a request past the first one.

use std::collections::VecDeque;

/// A line that is longer than any head that hyper takes.
const MAX_LINE: usize = super::MAX_HEAD_BYTES as usize;
/// The first line of every HTTP/2 connection (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// What the bytes say about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Its end is certain, and so is where the next one begins.
    Plain,
    /// Its own end is certain. What comes behind it is not read.
    Last,
    /// Two servers may disagree about it, for this reason (RFC 9112).
    Ambiguous(&'static str),
}

/// Reads along with hyper.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    place: Place,
    line: Vec<u8>,
    head: Head,
    found: VecDeque<Framing>,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Head,
    /// So many bytes of a body are to come.
    Body(u64),
    /// Nothing behind this is looked at: HTTP/2, or a connection that ends with the present request.
    Beyond,
}

/// What the lines of a head have said so far.
#[derive(Debug, Default)]
struct Head {
    begun: bool,
    old: bool,
    hosts: usize,
    codings: usize,
    lengths: usize,
    length: u64,
    fault: Option<&'static str>,
}

impl Scanner {
    /// Takes the next bytes of the connection.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Beyond => return,
                Place::Body(left) => {
                    let body = usize::try_from(*left).ok().and_then(|left| bytes.split_at_checked(left));
                    let (body, rest) = body.unwrap_or((bytes, &[]));
                    bytes = rest;
                    *left = left.saturating_sub(body.len() as u64);
                    if *left == 0 {
                        self.place = Place::Head;
                    }
                }
                Place::Head => bytes = self.read_line(bytes),
            }
        }
    }

    /// The framing of the next request, in the order in which they came. There is none when the bytes made no sense.
    pub(super) fn next(&mut self) -> Framing {
        self.found.pop_front().unwrap_or(Framing::Ambiguous("the head cannot be read"))
    }

    /// Whether a head has begun and not ended.
    pub(super) fn is_inside_head(&self) -> bool {
        matches!(self.place, Place::Head) && (self.head.begun || !self.line.is_empty())
    }

    fn read_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
        let (Some(end), Some(rest)) = (lines.next(), lines.next()) else {
            self.line.extend_from_slice(bytes);
            if self.line.len() > MAX_LINE {
                self.place = Place::Beyond;
            }
            return &[];
        };
        self.line.extend_from_slice(end);
        let line = std::mem::take(&mut self.line);
        match line.strip_suffix(b"\r") {
            // Empty lines before a request are skipped (RFC 9112 section 2.2).
            Some([]) if !self.head.begun => {}
            Some([]) => self.end_head(),
            Some(PREFACE) if !self.head.begun => self.place = Place::Beyond,
            Some(line) => self.head.read(line),
            None => {
                self.head.fault = Some("a line ends without CR");
                self.end_head();
            }
        }
        rest
    }

    fn end_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        let framing = head.framing();
        self.place = match framing {
            Framing::Plain if head.length > 0 => Place::Body(head.length),
            Framing::Plain => Place::Head,
            Framing::Last | Framing::Ambiguous(_) => Place::Beyond,
        };
        self.found.push_back(framing);
    }
}

impl Head {
    fn read(&mut self, line: &[u8]) {
        if !self.begun {
            self.begun = true;
            self.old = line.ends_with(b" HTTP/1.0");
            return;
        }
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts = self.hosts.saturating_add(1);
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths = self.lengths.saturating_add(1);
            match length(value) {
                Some(length) => self.length = length,
                None => self.fault = Some("the length is no number"),
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.codings = self.codings.saturating_add(1);
            if !value.eq_ignore_ascii_case(b"chunked") {
                self.fault = Some("the transfer coding is not chunked alone");
            }
        }
    }

    fn framing(&self) -> Framing {
        match (self.hosts, self.lengths, self.codings) {
            _ if self.fault.is_some() => Framing::Ambiguous(self.fault.unwrap_or_default()),
            (2.., ..) => Framing::Ambiguous("there are several hosts"),
            (0, ..) if !self.old => Framing::Ambiguous("there is no host"),
            (_, 2.., _) => Framing::Ambiguous("there are several lengths"),
            (.., 2..) => Framing::Ambiguous("there are several transfer codings"),
            (_, 1, 1) => Framing::Ambiguous("there is a length beside a transfer coding"),
            (.., 1) => Framing::Last,
            _ => Framing::Plain,
        }
    }
}

/// Digits alone: no sign, no list, no other base.
fn length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}
