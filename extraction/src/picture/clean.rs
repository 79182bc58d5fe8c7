//! What makes characters in a picture easier to recognise. This module owns the steps, and when a
//! picture needs them; each is here because it raised what was recognised, none changes a clean
//! picture.

use image::imageops::{self, FilterType};
use image::{GrayImage, Luma};

use super::{Raster, RasterLimits, turn};

/// A page has lines of some 12 pixels in a picture whose longer side is shorter than this, which
/// is less than recognition wants.
const SMALL: u32 = 2200;
/// What a small picture is enlarged by.
const ENLARGED: u32 = 2;
/// The median difference between a pixel and its neighbours from which a picture is grainy. That
/// of paper in a good scan is 0 or 1.
const GRAINY: u8 = 4;
/// Squares along each side of a picture in which its paper is looked at.
const SQUARES: u32 = 8;
/// The paper of the darkest square is this many parts in 100 of that of the brightest, or the
/// light was uneven.
const EVEN: u32 = 90;
/// The paper's shade once light is even.
const PAPER: u32 = 235;
/// The surroundings that a pixel is compared with are this part of the longer side.
const SURROUNDINGS: u32 = 70;

/// Clean a picture of which each point has `scale` pixels.
pub(super) fn raster(page: u32, picture: GrayImage, scale: f32, limits: &RasterLimits) -> Raster {
    // Enlarged, grain would be blots.
    let (picture, factor) = enlarged(smooth(picture), limits);
    let picture = even(picture);
    let paper = paper(&picture);
    let scale = scale * factor as f32;
    let (picture, frame) = turn::level(picture, paper, scale, limits.max_raster_pixels);
    Raster {
        page,
        width: picture.width(),
        height: picture.height(),
        frame,
        pixels: picture.into_raw(),
    }
}

/// The shade of most of a picture, which is bare.
fn paper(picture: &GrayImage) -> u8 {
    let mut counts = [0_u64; 256];
    for pixel in picture.as_raw().iter().step_by(7) {
        if let Some(count) = counts.get_mut(usize::from(*pixel)) {
            *count += 1;
        }
    }
    percentile(&counts, 60)
}

fn enlarged(picture: GrayImage, limits: &RasterLimits) -> (GrayImage, u32) {
    let (width, height) = picture.dimensions();
    let pixels = u64::from(width) * u64::from(height) * u64::from(ENLARGED * ENLARGED);
    if width.max(height) >= SMALL || pixels > limits.max_raster_pixels {
        return (picture, 1);
    }
    let size = (width * ENLARGED, height * ENLARGED);
    let larger = imageops::resize(&picture, size.0, size.1, FilterType::CatmullRom);
    (larger, ENLARGED)
}

/// Take the grain out of a picture that has it.
fn smooth(picture: GrayImage) -> GrayImage {
    if grain(&picture) < GRAINY {
        return picture;
    }
    const KERNEL: [f32; 9] = [
        1.0 / 16.0,
        2.0 / 16.0,
        1.0 / 16.0,
        2.0 / 16.0,
        4.0 / 16.0,
        2.0 / 16.0,
        1.0 / 16.0,
        2.0 / 16.0,
        1.0 / 16.0,
    ];
    imageops::filter3x3(&picture, &KERNEL)
}

/// The median difference between a pixel and the mean of the two beside it.
fn grain(picture: &GrayImage) -> u8 {
    let mut counts = [0_u64; 256];
    let row = usize::try_from(picture.width()).unwrap_or(1).max(1);
    for pixels in picture.as_raw().chunks_exact(row).step_by(3) {
        for window in pixels.windows(3) {
            if let [left, pixel, right] = window {
                let beside = u8::midpoint(*left, *right);
                if let Some(count) = counts.get_mut(usize::from(pixel.abs_diff(beside))) {
                    *count += 1;
                }
            }
        }
    }
    percentile(&counts, 50)
}

/// Make the light even where it was not, by what surrounds each pixel.
fn even(picture: GrayImage) -> GrayImage {
    if is_even(&picture) {
        return picture;
    }
    let (width, height) = picture.dimensions();
    let radius = (width.max(height) / SURROUNDINGS).max(8);
    let sums = Sums::of(&picture);
    let mut even = picture;
    for (x, y, pixel) in even.enumerate_pixels_mut() {
        let around = sums.mean(x, y, radius).max(1);
        let shade = u32::from(pixel.0[0]) * PAPER / around;
        *pixel = Luma([u8::try_from(shade).unwrap_or(u8::MAX)]);
    }
    even
}

/// Whether the paper is about as bright everywhere.
fn is_even(picture: &GrayImage) -> bool {
    let (width, height) = picture.dimensions();
    let (wide, high) = (width / SQUARES, height / SQUARES);
    if wide < 8 || high < 8 {
        return true;
    }
    let mut papers = Vec::new();
    for square in 0..SQUARES * SQUARES {
        let (left, top) = (square % SQUARES * wide, square / SQUARES * high);
        let mut counts = [0_u64; 256];
        for y in (top..top + high).step_by(3) {
            for x in (left..left + wide).step_by(3) {
                let shade = picture.get_pixel(x, y).0[0];
                if let Some(count) = counts.get_mut(usize::from(shade)) {
                    *count += 1;
                }
            }
        }
        papers.push(u32::from(percentile(&counts, 80)));
    }
    papers.sort_unstable();
    // The darkest few may be figures.
    let darkest = papers.get(papers.len() / 16).copied().unwrap_or_default();
    let brightest = papers.last().copied().unwrap_or_default();
    darkest * 100 >= brightest * EVEN
}

/// The value that so many parts in 100 do not exceed.
fn percentile(counts: &[u64; 256], parts: u64) -> u8 {
    let wanted = counts.iter().sum::<u64>() * parts / 100;
    let mut seen = 0;
    for (value, count) in (0_u8..=u8::MAX).zip(counts) {
        seen += count;
        if seen > wanted {
            return value;
        }
    }
    u8::MAX
}

/// Sums over all rectangles from the top left, so that the mean of any is four look-ups.
struct Sums {
    width: u32,
    height: u32,
    /// One more in each direction than there are pixels.
    sums: Vec<u64>,
}

impl Sums {
    fn of(picture: &GrayImage) -> Self {
        let (width, height) = picture.dimensions();
        let row = usize::try_from(width).unwrap_or(1).max(1);
        let mut sums = vec![0; row + 1];
        for pixels in picture.as_raw().chunks_exact(row) {
            let above = sums.len() - row - 1;
            let mut left = 0;
            sums.push(0);
            for (index, pixel) in pixels.iter().enumerate() {
                left += u64::from(*pixel);
                let over = sums.get(above + index + 1).copied().unwrap_or_default();
                sums.push(over + left);
            }
        }
        Self {
            width,
            height,
            sums,
        }
    }

    fn mean(&self, x: u32, y: u32, radius: u32) -> u32 {
        let (left, top) = (x.saturating_sub(radius), y.saturating_sub(radius));
        let right = (x + radius + 1).min(self.width);
        let bottom = (y + radius + 1).min(self.height);
        let inside = self.at(right, bottom) + self.at(left, top);
        let sum = inside - self.at(left, bottom) - self.at(right, top);
        let area = u64::from(right - left) * u64::from(bottom - top);
        u32::try_from(sum / area.max(1)).unwrap_or(255)
    }

    fn at(&self, x: u32, y: u32) -> u64 {
        let index = u64::from(y) * (u64::from(self.width) + 1) + u64::from(x);
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.sums.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Frame;

    fn lined(width: u32, height: u32) -> GrayImage {
        // Dark lines on white paper.
        GrayImage::from_fn(width, height, |_, y| {
            Luma([if y % 40 < 4 { 20 } else { 240 }])
        })
    }

    #[test]
    fn a_clean_picture_stays_as_it_is() {
        let clean = lined(2400, 3000);
        let raster = raster(1, clean.clone(), 4.0, &RasterLimits::default());
        assert_eq!(
            (raster.width, raster.height, raster.frame),
            (2400, 3000, Frame::upright(4.0))
        );
        assert!(raster.pixels == clean.into_raw());
    }

    #[test]
    fn a_small_picture_is_enlarged_and_says_so() {
        let raster = raster(3, lined(600, 800), 1.0, &RasterLimits::default());
        assert_eq!((raster.width, raster.height), (1200, 1600));
        assert_eq!((raster.page, raster.frame), (3, Frame::upright(2.0)));
        let narrow = RasterLimits {
            max_raster_pixels: 600 * 800,
            ..RasterLimits::default()
        };
        assert_eq!(super::raster(1, lined(600, 800), 1.0, &narrow).width, 600);
    }

    #[test]
    fn grain_is_taken_out() {
        let grainy = GrayImage::from_fn(200, 200, |x, y| {
            Luma([if (x * 7 + y * 13) % 5 < 2 { 200 } else { 240 }])
        });
        assert!(grain(&grainy) >= GRAINY);
        assert!(grain(&smooth(grainy.clone())) < grain(&grainy));
    }

    #[test]
    fn uneven_light_becomes_even() {
        let uneven = GrayImage::from_fn(800, 800, |x, y| {
            let light = 60 + x * 180 / 800;
            Luma([u8::try_from(if y % 40 < 4 { light / 4 } else { light }).unwrap()])
        });
        assert!(!is_even(&uneven));
        let mended = even(uneven);
        assert!(is_even(&mended));
        assert!(mended.get_pixel(100, 2).0[0] < 100, "lines stay dark");
    }
}
