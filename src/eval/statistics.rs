//! Proportions with their intervals, calibration error, and yield.

/// A count of successes among trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Proportion {
    /// Successes.
    pub hits: usize,
    /// Trials.
    pub of: usize,
}

impl Proportion {
    /// Counts one trial.
    pub fn count(&mut self, hit: bool) {
        self.hits += usize::from(hit);
        self.of += 1;
    }

    /// The share of successes, in 0..=1; `None` without trials.
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }

    /// Wilson's 95 % interval of the share (Wilson, JASA 22, 1927), in 0..=1; the whole range without trials.
    pub fn interval(&self) -> (f64, f64) {
        const Z: f64 = 1.959_964;
        let Some(share) = self.share() else { return (0.0, 1.0) };
        let of = self.of as f64;
        let centre = (share + Z * Z / (2.0 * of)) / (1.0 + Z * Z / of);
        let reach = Z / (1.0 + Z * Z / of) * (share * (1.0 - share) / of + Z * Z / (4.0 * of * of)).sqrt();
        ((centre - reach).max(0.0), (centre + reach).min(1.0))
    }
}

impl std::fmt::Display for Proportion {
    /// `78.3 % (75.0-81.2, n=636)`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(share) = self.share() else { return formatter.pad("- (n=0)") };
        let (low, high) = self.interval();
        formatter.pad(&format!("{:.1} % ({:.1}-{:.1}, n={})", 100.0 * share, 100.0 * low, 100.0 * high, self.of))
    }
}

/// Expected calibration error: the mean distance between confidence and share of right answers over 15 bins of equal width, weighted by how many
/// fall in each (Guo et al., ICML 2017). `None` without answers.
pub fn calibration_error(answers: &[(f32, bool)]) -> Option<f64> {
    const BINS: usize = 15;
    let mut bins = [(0usize, 0.0f64, 0usize); BINS];
    for &(confidence, right) in answers {
        let bin = &mut bins[((confidence * BINS as f32) as usize).min(BINS - 1)];
        *bin = (bin.0 + 1, bin.1 + f64::from(confidence), bin.2 + usize::from(right));
    }
    let distance: f64 = bins.iter().map(|&(_, confidence, right)| (confidence - right as f64).abs()).sum();
    (!answers.is_empty()).then(|| distance / answers.len() as f64)
}

/// The largest share of all `trials` that can be answered, surest first, with at most `error` of the answers wrong; answers of equal confidence are
/// taken together.
pub fn yield_at(answers: &[(f32, bool)], trials: usize, error: f64) -> f64 {
    let mut sorted = answers.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut wrong, mut best) = (0, 0);
    for (index, &(confidence, right)) in sorted.iter().enumerate() {
        wrong += usize::from(!right);
        let last_of_its_kind = sorted.get(index + 1).is_none_or(|next| next.0 < confidence);
        if last_of_its_kind && wrong as f64 <= error * (index + 1) as f64 {
            best = index + 1;
        }
    }
    if trials == 0 { 0.0 } else { best as f64 / trials as f64 }
}

/// The value that `share` (0..=1) of `values` do not exceed (nearest rank); 0 for none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_agrees_with_published_values() {
        // Newcombe, Statistics in Medicine 17 (1998), table I: 81/263 and 0/20.
        let (low, high) = Proportion { hits: 81, of: 263 }.interval();
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
        let (low, high) = Proportion { hits: 0, of: 20 }.interval();
        assert!(low == 0.0 && (high - 0.1611).abs() < 5e-5, "{low} {high}");
    }

    #[test]
    fn calibration_error_of_honest_and_dishonest_answers() {
        let answers: Vec<_> = (0..100).map(|index| (0.8, index < 80)).collect();
        assert!(calibration_error(&answers).expect("answers") < 1e-6);
        let answers: Vec<_> = (0..100).map(|index| (0.99, index < 50)).collect();
        assert!((calibration_error(&answers).expect("answers") - 0.49).abs() < 1e-6);
    }

    #[test]
    fn yield_takes_the_surest_first() {
        let answers = [(0.9, true), (0.8, true), (0.7, false), (0.6, true)];
        assert_eq!(yield_at(&answers, 4, 0.0), 0.5);
        assert_eq!(yield_at(&answers, 4, 0.25), 1.0);
        assert_eq!(yield_at(&[(0.9, true), (0.9, false)], 2, 0.0), 0.0);
    }
}
