//! A file as pairs of a group code and a value, from text or binary. This module must not know
//! what codes mean.

/// What begins a binary file.
const SENTINEL: &[u8] = b"AutoCAD Binary DXF\r\n\x1A\0";

/// A value, as far as texts need it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value<'a> {
    /// Text that is not decoded yet.
    Bytes(&'a [u8]),
    /// A whole number.
    Number(i64),
    /// Anything else.
    Other,
}

pub(super) struct Groups<'a> {
    rest: &'a [u8],
    /// How many bytes a code has in a binary file; `None` for text.
    code_bytes: Option<usize>,
}

impl<'a> Groups<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        match bytes.strip_prefix(SENTINEL) {
            Some(rest) => Self {
                // Since release 14 codes have two bytes: the first is 0, and so is its second half.
                code_bytes: Some(if rest.get(1) == Some(&0) { 2 } else { 1 }),
                rest,
            },
            None => Self {
                rest: bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes),
                code_bytes: None,
            },
        }
    }

    fn line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let line = self.rest.get(..end.unwrap_or(self.rest.len()))?;
        self.rest = self.rest.get(line.len() + 1..).unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn text_pair(&mut self) -> Option<(i32, Value<'a>)> {
        let code = self.line()?;
        let value = self.line()?;
        let code: i32 = std::str::from_utf8(code).ok()?.trim().parse().ok()?;
        let number = || {
            let text = std::str::from_utf8(value).ok()?;
            text.trim().parse().ok()
        };
        Some((
            code,
            match code {
                60..=79 | 90..=99 | 170..=179 | 270..=289 => {
                    number().map_or(Value::Other, Value::Number)
                }
                0 | 2 | 9 => Value::Bytes(value.trim_ascii()),
                _ => Value::Bytes(value),
            },
        ))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.rest.get(..count)?;
        self.rest = self.rest.get(count..)?;
        Some(taken)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == 0)?;
        let taken = self.take(end)?;
        self.take(1)?;
        Some(taken)
    }

    fn code(&mut self, bytes: usize) -> Option<i32> {
        if bytes == 2 {
            return Some(i16::from_le_bytes(self.take(2)?.try_into().ok()?).into());
        }
        match self.take(1)? {
            [255] => Some(i16::from_le_bytes(self.take(2)?.try_into().ok()?).into()),
            [code] => Some((*code).into()),
            _ => None,
        }
    }

    fn binary_pair(&mut self, code_bytes: usize) -> Option<(i32, Value<'a>)> {
        let code = self.code(code_bytes)?;
        let value = match code {
            10..=59 | 110..=149 | 210..=239 | 460..=469 | 1010..=1059 => {
                self.take(8)?;
                Value::Other
            }
            60..=79 | 170..=179 | 270..=289 | 370..=389 | 400..=409 | 1060..=1070 => {
                let two = self.take(2)?.try_into().ok()?;
                Value::Number(i16::from_le_bytes(two).into())
            }
            90..=99 | 420..=429 | 440..=459 | 1071 => {
                let four = self.take(4)?.try_into().ok()?;
                Value::Number(i32::from_le_bytes(four).into())
            }
            160..=169 => {
                self.take(8)?;
                Value::Other
            }
            290..=299 => {
                self.take(1)?;
                Value::Other
            }
            310..=319 | 1004 => {
                let length = self.take(1)?.first().copied()?;
                self.take(length.into())?;
                Value::Other
            }
            _ => Value::Bytes(self.string()?),
        };
        Some((code, value))
    }
}

impl<'a> Iterator for Groups<'a> {
    type Item = (i32, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self.code_bytes {
            Some(code_bytes) => self.binary_pair(code_bytes),
            None => self.text_pair(),
        }
    }
}
