//! A byte stream that feeds the two protections of a connection. It reports the bytes that it reads to `framing` and
//! `deadlines`, and whether the client accepts written bytes to `deadlines`.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{deadlines::ConnectionDeadlines, framing::FramingScanner};

/// The stream of one connection.
#[derive(Debug)]
pub(super) struct ObservedStream<S> {
    stream: S,
    framing: FramingScanner,
    deadlines: ConnectionDeadlines,
}

impl<S> ObservedStream<S> {
    pub(super) const fn new(stream: S, framing: FramingScanner, deadlines: ConnectionDeadlines) -> Self {
        Self { stream, framing, deadlines }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ObservedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;

        let read = buffer.filled().get(before..);
        self.framing.scan(read.ok_or_else(|| io::Error::other("a read shortened its buffer"))?);
        self.deadlines.note_read(self.framing.is_inside_head());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ObservedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_pending() {
            self.deadlines.note_write_blocked();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if written.is_pending() {
            self.deadlines.note_write_blocked();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper and h2 flush when they have nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.deadlines.note_flush(flushed.is_ready());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.deadlines.note_flush(shut_down.is_ready());
        shut_down
    }
}
