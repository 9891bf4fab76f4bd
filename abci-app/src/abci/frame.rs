//! Frames on the socket: a length as a varint, then that many bytes of protobuf.

use std::io::{self, Read, Write};

use bytes::Bytes;
use prost::Message;
use tendermint_proto::v0_38::abci::{Request, Response};

/// Largest frame that is read, bytes: CometBFT's largest block, and room for what comes with it.
pub const FRAME_BYTES_MAX: u64 = 128 << 20;

/// Why a connection can't go on.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The socket failed, or closed in the middle of a frame.
    #[error("socket: {0}")]
    Io(#[from] io::Error),
    /// A length that is no varint of 64 bits.
    #[error("a frame's length isn't a varint")]
    Length,
    /// A frame that is too large to be CometBFT's.
    #[error("a frame of {0} bytes, at most {FRAME_BYTES_MAX} are read")]
    TooLarge(u64),
    /// A frame that holds no request.
    #[error("a frame holds no ABCI request: {0}")]
    Request(#[from] prost::DecodeError),
}

/// Reads a request; `None` when the connection has closed between two frames.
///
/// # Errors
/// [`FrameError`].
pub fn read_request(from: &mut impl Read) -> Result<Option<Request>, FrameError> {
    let Some(length) = read_length(from)? else {
        return Ok(None);
    };
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge(length));
    }
    // Memory grows with what arrives, not with what the length claims.
    let mut bytes = Vec::new();
    let read = from.take(length).read_to_end(&mut bytes)?;
    if u64::try_from(read).unwrap_or(u64::MAX) != length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(Request::decode(Bytes::from(bytes))?))
}

/// Writes a response; it reaches the socket when `to` is flushed.
///
/// # Errors
/// [`FrameError::Io`].
pub fn write_response(to: &mut impl Write, response: &Response) -> Result<(), FrameError> {
    to.write_all(&response.encode_length_delimited_to_vec())?;
    Ok(())
}

fn read_length(from: &mut impl Read) -> Result<Option<u64>, FrameError> {
    let mut length = 0_u64;
    for position in 0..10_u32 {
        let mut byte = [0];
        if from.read(&mut byte)? == 0 {
            if position == 0 {
                return Ok(None);
            }
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let bits = u64::from(byte[0] & 0x7f);
        if position == 9 && bits > 1 {
            return Err(FrameError::Length);
        }
        length |= bits << (7 * position);
        if byte[0] & 0x80 == 0 {
            return Ok(Some(length));
        }
    }
    Err(FrameError::Length)
}

#[cfg(test)]
mod tests {
    use tendermint_proto::v0_38::abci::{RequestEcho, request::Value};

    use super::*;

    fn echo() -> Request {
        Request {
            value: Some(Value::Echo(RequestEcho {
                message: "x".repeat(300),
            })),
        }
    }

    #[test]
    fn a_frame_is_read_whole_or_refused_at_every_cut() {
        let bytes = echo().encode_length_delimited_to_vec();
        assert_eq!(read_request(&mut &bytes[..]).unwrap(), Some(echo()));
        assert!(read_request(&mut &bytes[..0]).unwrap().is_none());
        for cut in 1..bytes.len() {
            assert!(
                matches!(read_request(&mut &bytes[..cut]), Err(FrameError::Io(_))),
                "{cut}"
            );
        }
    }

    #[test]
    fn lengths_past_the_limit_are_refused_before_anything_is_read() {
        let length = |mut n: u64| {
            let mut bytes = vec![];
            while n > 0x7f {
                bytes.push(u8::try_from(n & 0x7f).unwrap() | 0x80);
                n >>= 7;
            }
            bytes.push(u8::try_from(n).unwrap());
            bytes
        };
        for n in [FRAME_BYTES_MAX + 1, u64::MAX] {
            let error = read_request(&mut &length(n)[..]).unwrap_err();
            assert!(matches!(error, FrameError::TooLarge(got) if got == n));
        }
        // At the limit the frame is waited for.
        let error = read_request(&mut &length(FRAME_BYTES_MAX)[..]).unwrap_err();
        assert!(matches!(error, FrameError::Io(_)));
        assert!(matches!(
            read_request(&mut &[0xff; 11][..]),
            Err(FrameError::Length)
        ));
    }
}
