//! Random draws, reproducible from a seed. One PCG stream per purpose (a car's steel, its load, one visit's clutter, the noise), so
//! that drawing one thing more somewhere does not change everything after it.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// A seeded stream of draws.
#[derive(Debug, Clone)]
pub struct Dice(Pcg64Mcg);

impl Dice {
    /// The stream number `purpose` of `seed`; different purposes give unrelated streams.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Dice {
        Dice(Pcg64Mcg::seed_from_u64(mix(seed ^ mix(purpose))))
    }

    /// Uniform in `0..1`.
    pub fn unit(&mut self) -> f64 {
        // 53 bits: all that fits a double's mantissa.
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `low..high`.
    pub fn span(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Log-uniform in `low..high`, both positive.
    pub fn log_span(&mut self, low: f64, high: f64) -> f64 {
        self.span(low.ln(), high.ln()).exp()
    }

    /// A whole number in `low..=high`.
    pub fn count(&mut self, low: usize, high: usize) -> usize {
        low + (self.unit() * (high - low + 1) as f64) as usize
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of `choices`, which is not empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.count(0, choices.len() - 1)]
    }

    /// A standard normal draw (Box-Muller; the second of each pair is thrown away, these are not the hot draws).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A seed for something drawn inside this stream.
    pub fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A Poisson draw of mean `mean`, 0 for a mean that is not positive.
    ///
    /// Below 10 by multiplying uniforms (Knuth), above by Hörmann's transformed rejection PTRS (Insurance: Mathematics and Economics
    /// 12, 1993), both exact; about 30 ns a draw. `rand_distr::Poisson` draws the same but is set up per mean, and here each pixel
    /// has its own.
    pub fn poisson(&mut self, mean: f32) -> u32 {
        if mean < 10.0 {
            if mean <= 0.0 {
                return 0;
            }
            let limit = (-f64::from(mean)).exp();
            let mut product = self.unit();
            let mut drawn = 0;
            while product > limit {
                product *= self.unit();
                drawn += 1;
            }
            return drawn;
        }
        let mean = f64::from(mean);
        let root = mean.sqrt();
        let b = 0.931 + 2.53 * root;
        let a = -0.059 + 0.02483 * b;
        let v_r = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = self.unit() - 0.5;
            let v = self.unit();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= v_r {
                return k as u32;
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
            if (v * inverse_alpha / (a / (us * us) + b)).ln() <= k * mean.ln() - mean - ln_factorial(k) {
                return k as u32;
            }
        }
    }
}

/// ln k! by Stirling's series to the fifth power: below 1e-8 off for k >= 2, exact for 0 and 1.
fn ln_factorial(k: f64) -> f64 {
    if k < 2.0 {
        return 0.0;
    }
    let n = k + 1.0;
    let inverse = 1.0 / n;
    let square = inverse * inverse;
    (n - 0.5) * n.ln() - n + 0.918_938_533_204_672_8 + inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)))
}

/// `splitmix64`'s finaliser: neighbouring seeds come out unrelated.
#[must_use]
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factorials() {
        let mut sum = 0.0;
        for k in 0..60 {
            assert!((ln_factorial(f64::from(k)) - sum).abs() < 1e-6, "{k}");
            sum += f64::from(k + 1).ln();
        }
    }

    #[test]
    fn poisson_mean_and_variance() {
        let mut dice = Dice::new(7, 0);
        for mean in [0.05_f32, 0.7, 3.0, 9.9, 10.0, 23.0, 160.0, 12_000.0] {
            let n = 60_000;
            let draws: Vec<f64> = (0..n).map(|_| f64::from(dice.poisson(mean))).collect();
            let average = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|x| (x - average).powi(2)).sum::<f64>() / f64::from(n - 1);
            let m = f64::from(mean);
            // Five standard errors of a mean, and of a variance (kurtosis 3 + 1/mean).
            assert!((average - m).abs() < 5.0 * (m / f64::from(n)).sqrt(), "mean {average} of {m}");
            assert!((variance / m - 1.0).abs() < 5.0 * ((2.0 + 1.0 / m) / f64::from(n)).sqrt(), "variance {variance} of {m}");
        }
    }
}
