//! A picture file as a raster. This module owns what is asked before decoding (the size) and what
//! is done right after (transparency on white, the orientation that the camera noted).

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Luma};

use super::{Raster, RasterLimits, clean, tiff, within};
use crate::Format;
use crate::error::{ExtractError, Quantity};

/// Memory for decoding one picture, in bytes.
const DECODING_BYTES: u64 = 512 * 1024 * 1024;

/// Look at the header of the first picture.
pub(super) fn check(format: Format, bytes: &[u8], max_pixels: u64) -> Result<(), ExtractError> {
    let (width, height) = decoder(format, bytes)?.dimensions();
    within(width, height, max_pixels)
}

pub(super) fn raster(
    format: Format,
    bytes: &[u8],
    number: u32,
    limits: &RasterLimits,
) -> Result<Raster, ExtractError> {
    let bytes = picture_of(format, bytes, number)?;
    let mut decoder = decoder(format, &bytes)?;
    let (width, height) = decoder.dimensions();
    within(width, height, limits.max_picture_pixels)?;
    // A picture whose notes cannot be read is taken as it is.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation);
    Ok(clean::raster(number, grey(picture), 1.0, limits))
}

/// The bytes with the picture of that number as the first.
fn picture_of(format: Format, bytes: &[u8], number: u32) -> Result<Cow<'_, [u8]>, ExtractError> {
    let no_page = || ExtractError::damaged(format!("it has no page {number}"));
    if format != Format::Tiff {
        return if number == 1 {
            Ok(Cow::Borrowed(bytes))
        } else {
            Err(no_page())
        };
    }
    let index = usize::try_from(number).unwrap_or(usize::MAX);
    index
        .checked_sub(1)
        .and_then(|index| tiff::directories(bytes).get(index).copied())
        .and_then(|directory| tiff::starting_at(bytes, directory))
        .map(Cow::Owned)
        .ok_or_else(no_page)
}

fn decoder(format: Format, bytes: &[u8]) -> Result<impl ImageDecoder + '_, ExtractError> {
    let format = match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Gif => ImageFormat::Gif,
        Format::Bmp => ImageFormat::Bmp,
        Format::Tiff => ImageFormat::Tiff,
        Format::Webp => ImageFormat::WebP,
        other => {
            return Err(ExtractError::Unsupported {
                what: format!("{} is not a picture", other.media_type()),
            });
        }
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(DECODING_BYTES);
    reader.limits(limits);
    reader.into_decoder().map_err(damaged)
}

fn damaged(error: image::ImageError) -> ExtractError {
    match error {
        image::ImageError::Unsupported(_) => ExtractError::Unsupported {
            what: "a picture coded in a rare way".to_owned(),
        },
        image::ImageError::Limits(_) => ExtractError::TooLarge {
            limit: DECODING_BYTES,
            of: Quantity::DecompressedBytes,
        },
        // What the decoder says may quote the file.
        _ => ExtractError::damaged("the picture cannot be decoded"),
    }
}

/// Shades of grey, on white paper where the picture lets it through.
fn grey(picture: DynamicImage) -> GrayImage {
    if !picture.color().has_alpha() {
        return picture.into_luma8();
    }
    let picture = picture.into_luma_alpha8();
    let mut grey = GrayImage::new(picture.width(), picture.height());
    for (to, from) in grey.pixels_mut().zip(picture.pixels()) {
        let [shade, alpha] = from.0.map(u32::from);
        let shown = (shade * alpha + 255 * (255 - alpha)) / 255;
        *to = Luma([u8::try_from(shown).unwrap_or(u8::MAX)]);
    }
    grey
}
