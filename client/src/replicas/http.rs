//! Bodies that come by HTTP, bounded, and what went wrong, in a few words.

/// Largest body of an answer, bytes: a page of an inbox and one post more, in base64, with room.
pub(super) const BODY_BYTES_MAX: usize = 8 << 20;
/// Largest body that there is room for before it comes, bytes.
const USUAL_BODY_BYTES: u64 = 256 << 10;
/// Longest text of a replica that is shown, characters.
const TEXT_CHARS_MAX: usize = 300;

/// A body of at most so many bytes.
pub(super) async fn bounded_body(
    mut response: reqwest::Response,
    bytes_max: usize,
) -> Result<Vec<u8>, String> {
    // What the replica says of the length is only believed up to a usual one.
    let length = response.content_length().unwrap_or(0).min(USUAL_BODY_BYTES);
    let mut body = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    while let Some(chunk) = response.chunk().await.map_err(|error| reason_of(&error))? {
        if body.len().saturating_add(chunk.len()) > bytes_max {
            return Err(format!("an answer of more than {bytes_max} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error of HTTP with its innermost cause, which is the one that helps, and without the address.
pub(super) fn reason_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    shown(&cause.to_string())
}

/// A text from outside, short and without control characters.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(TEXT_CHARS_MAX)
        .collect()
}
