//! A page of a PDF as a raster. This module owns the resolution; what the page shows is the
//! interpreter's business.

use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};
use hayro_interpret::InterpreterSettings;
use hayro_syntax::Pdf;
use image::GrayImage;

use super::{Raster, RasterLimits, clean};
use crate::error::ExtractError;

/// Points in an inch.
const POINTS: f32 = 72.0;
/// Pixels in a row or column at most, whatever the form of the page.
const LONGEST: f32 = 16_000.0;

pub(super) fn raster(
    pdf: &Pdf,
    number: u32,
    limits: &RasterLimits,
) -> Result<Raster, ExtractError> {
    let pages = pdf.pages();
    let index = usize::try_from(number).unwrap_or(usize::MAX);
    let page = index
        .checked_sub(1)
        .and_then(|index| pages.get(index))
        .ok_or_else(|| ExtractError::damaged(format!("it has no page {number}")))?;
    let (width, height) = page.render_dimensions();
    let scale = scale(width, height, limits)
        .ok_or_else(|| ExtractError::damaged(format!("page {number} has no size")))?;
    let pixmap = hayro::render(
        page,
        &RenderCache::new(),
        &InterpreterSettings::default(),
        &RenderSettings::default(),
        &PixmapSettings {
            x_scale: scale,
            y_scale: scale,
            bg_color: WHITE,
        },
    );
    let (width, height) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    let grey = pixmap
        .data_as_u8_slice()
        .chunks_exact(4)
        .map(luma)
        .collect();
    let picture = GrayImage::from_raw(width, height, grey)
        .ok_or_else(|| ExtractError::damaged(format!("page {number} cannot be drawn")))?;
    Ok(clean::raster(number, picture, scale, limits))
}

/// Pixels in a point. `None` for a page without an area.
fn scale(width: f32, height: f32, limits: &RasterLimits) -> Option<f32> {
    let is_size = |length: f32| length.is_finite() && length >= 1.0;
    if !is_size(width) || !is_size(height) {
        return None;
    }
    let most = (limits.max_raster_pixels as f32 / (width * height)).sqrt();
    let wanted = limits.dpi as f32 / POINTS;
    Some(wanted.min(most).min(LONGEST / width.max(height)))
}

/// The brightness of a colour, as eyes weigh it.
fn luma(rgba: &[u8]) -> u8 {
    let weigh = |at: usize, weight: u32| u32::from(rgba.get(at).copied().unwrap_or(255)) * weight;
    let sum = weigh(0, 77) + weigh(1, 150) + weigh(2, 29);
    u8::try_from(sum >> 8).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pages_get_fewer_pixels_an_inch() {
        let limits = RasterLimits::default();
        assert_eq!(scale(595.0, 842.0, &limits), Some(300.0 / 72.0));
        let poster = scale(14_400.0, 14_400.0, &limits).unwrap();
        assert!((poster * 14_400.0).powi(2) <= 40_100_000.0, "{poster}");
        let strip = scale(100_000.0, 1.0, &limits).unwrap();
        assert!(strip * 100_000.0 <= 16_000.0, "{strip}");
        assert_eq!(scale(0.0, 842.0, &limits), None);
        assert_eq!(scale(f32::NAN, 842.0, &limits), None);
    }
}
