//! Pages that are pictures: how many a file has, and each as a raster in which characters can be
//! recognised. This module owns the limits against pixel bombs and the order of the steps; it must
//! not recognise anything itself, which is a program's work outside of this crate.

mod clean;
mod decode;
mod page;
mod recognised;
mod tiff;
mod turn;

use hayro_syntax::Pdf;

pub use recognised::recognised;
pub use turn::Frame;

use crate::error::{ExtractError, Quantity};
use crate::{Format, Input, Limits, Origin, Page, Reading, detect, isolate};

/// How large rasters become, and how large pictures may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RasterLimits {
    /// Pixels an inch of a PDF's page, as far as `max_raster_pixels` allows it.
    pub dpi: u32,
    /// Pixels of a picture before it is decoded.
    pub max_picture_pixels: u64,
    /// Pixels of a raster.
    pub max_raster_pixels: u64,
}

impl Default for RasterLimits {
    fn default() -> Self {
        Self {
            dpi: 300,
            max_picture_pixels: 100_000_000,
            max_raster_pixels: 40_000_000,
        }
    }
}

/// A page in shades of grey, cleaned, its lines level.
#[derive(Clone, PartialEq, Debug)]
pub struct Raster {
    /// The page, counted from 1.
    pub page: u32,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// How it lies on the page.
    pub frame: Frame,
    /// A byte a pixel, row by row from the top; 0 is black.
    pub pixels: Vec<u8>,
}

/// The pages of a picture file, which state no text. None counts as read yet.
pub(crate) fn read(format: Format, bytes: &[u8], limits: &Limits) -> Result<Reading, ExtractError> {
    let total = match format {
        Format::Tiff => limits.check_pages(tiff::directories(bytes).len())?,
        _ => 1,
    };
    if total == 0 {
        return Err(ExtractError::damaged("it holds no picture"));
    }
    decode::check(format, bytes, RasterLimits::default().max_picture_pixels)?;
    let page = |number| Page {
        number,
        text: String::new(),
        origin: Origin::Picture,
        confidence: 0.0,
        words: Vec::new(),
    };
    Ok(Reading {
        pages: (1..=total).map(page).collect(),
        confidence: 0.0,
        structure: None,
    })
}

/// Make rasters of the given pages of a PDF or a picture file. `on_raster` is called for each, on
/// the calling thread; when it answers `false`, the work stops.
///
/// # Errors
///
/// [`ExtractError`], of any kind but that there is no text.
pub fn rasterise(
    input: &Input<'_>,
    pages: &[u32],
    limits: &RasterLimits,
    on_raster: &mut dyn FnMut(Raster) -> bool,
) -> Result<(), ExtractError> {
    let format = detect(input)?;
    let pdf = match format {
        Format::Pdf => {
            Some(Pdf::new(input.bytes.to_vec()).map_err(|_| ExtractError::damaged("no PDF"))?)
        }
        _ if format.is_picture() => None,
        _ => {
            return Err(ExtractError::Unsupported {
                what: format!("{} has no pictures of pages", format.media_type()),
            });
        }
    };
    let wanted = u32::try_from(pages.len()).unwrap_or(u32::MAX);
    for (done, number) in (0_u32..).zip(pages) {
        let raster = isolate::run(&mut |_| true, |_| match &pdf {
            Some(pdf) => page::raster(pdf, *number, limits),
            None => decode::raster(format, input.bytes, *number, limits),
        })?;
        if !on_raster(raster) {
            return Err(ExtractError::Cancelled {
                pages_done: done,
                pages: wanted,
            });
        }
    }
    Ok(())
}

fn within(width: u32, height: u32, limit: u64) -> Result<(), ExtractError> {
    if u64::from(width) * u64::from(height) <= limit {
        Ok(())
    } else {
        Err(ExtractError::TooLarge {
            limit,
            of: Quantity::Pixels,
        })
    }
}
