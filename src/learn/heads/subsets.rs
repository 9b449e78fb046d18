//! Explains any head that can score a title through a part of its modalities: each modality's
//! contribution is its Shapley value.
//!
//! What a title's logit would be through each subset of the modalities that it has is asked of
//! the head; a modality's Shapley value is what it adds to a subset, averaged over the orders in
//! which modalities can join. The values and the prior of no modality sum to the logit. Exact:
//! two modalities need 3 scores a title, five need 31.
//!
//! source: Shapley 1953; Lundberg and Lee 2017, "A unified approach to interpreting model
//! predictions" (local accuracy)

use dataset::{Content, Dataset};

use super::Prediction;
use crate::LearnError;

/// Scores titles through a part of their modalities.
pub trait SubsetScorer {
    /// `[genres]`: logits of a title of which nothing is seen.
    fn prior(&self) -> &[f32];
    /// Logits `[titles, genres]` of titles that have all the modalities of which `using`
    /// `[modalities]` is true, seen through these alone.
    ///
    /// # Errors
    /// The data is not what the head was fitted on; a device error.
    fn score(
        &self,
        data: &Dataset,
        titles: &[usize],
        using: &[bool],
    ) -> Result<Vec<f32>, LearnError>;
}

/// Scores these titles with their contributions.
///
/// # Errors
/// Those of the scorer.
pub fn explain(
    scorer: &impl SubsetScorer,
    data: &Dataset,
    titles: &[usize],
) -> Result<Prediction, LearnError> {
    let (genres, modalities) = (scorer.prior().len(), data.modalities.len());
    let present: Vec<usize> = titles
        .iter()
        .map(|&title| {
            (0..modalities).filter(|&m| data.modalities[m].present(title)).map(|m| 1 << m).sum()
        })
        .collect();
    // `[subsets][titles, genres]`; a subset of modalities is a number whose bits they are.
    let prior: Vec<f32> = titles.iter().flat_map(|_| scorer.prior()).copied().collect();
    let mut values: Vec<Vec<f32>> = vec![prior];
    for subset in 1..1_usize << modalities {
        let mut value = vec![f32::NAN; titles.len() * genres];
        let who: Vec<usize> =
            (0..titles.len()).filter(|&at| present[at] & subset == subset).collect();
        if !who.is_empty() {
            let using: Vec<bool> = (0..modalities).map(|m| subset >> m & 1 == 1).collect();
            let those: Vec<usize> = who.iter().map(|&at| titles[at]).collect();
            let scores = scorer.score(data, &those, &using)?;
            for (&at, scores) in who.iter().zip(scores.chunks_exact(genres.max(1))) {
                value[at * genres..(at + 1) * genres].copy_from_slice(scores);
            }
        }
        values.push(value);
    }
    let mut prediction = blank(data, titles, scorer.prior());
    for (at, &all) in present.iter().enumerate().filter(|&(_, &all)| all != 0) {
        for genre in 0..genres {
            let place = at * genres + genre;
            let value = |subset: usize| values[subset][place];
            let parts = &mut prediction.contributions[place * modalities..][..modalities];
            let members: Vec<usize> = (0..modalities).filter(|&m| all >> m & 1 == 1).collect();
            for &m in &members {
                prediction.unimodal[place * modalities + m] = value(1 << m);
                let mut shapley = 0.0;
                for subset in
                    (0..1_usize << modalities).filter(|s| s & all == *s && s >> m & 1 == 0)
                {
                    let gain = f64::from(value(subset | 1 << m)) - f64::from(value(subset));
                    shapley += gain * share(subset.count_ones() as usize, members.len());
                }
                parts[m] = (shapley + f64::from(value(0)) / members.len() as f64) as f32;
            }
            prediction.logits[place] = parts.iter().sum();
        }
    }
    Ok(prediction)
}

/// How many of the orders of `all` modalities have a certain one right after `before` certain
/// others.
fn share(before: usize, all: usize) -> f64 {
    let factorial = |n: usize| (1..=n).product::<usize>() as f64;
    factorial(before) * factorial(all - before - 1) / factorial(all)
}

/// A prediction in which each title has the prior, and rows of a modality weigh the same.
#[must_use]
pub fn blank(data: &Dataset, titles: &[usize], prior: &[f32]) -> Prediction {
    let (genres, modalities) = (prior.len(), data.modalities.len());
    let weights = |m: usize, title: usize| match &data.modalities[m].content {
        Content::Rows(ragged) => {
            let num_rows = ragged.num_rows(title);
            vec![1.0 / num_rows.max(1) as f32; num_rows]
        }
        Content::Records { rows, .. } => vec![1.0; usize::from(rows[title].is_some())],
    };
    Prediction {
        num_genres: genres,
        num_modalities: modalities,
        logits: titles.iter().flat_map(|_| prior).copied().collect(),
        contributions: vec![0.0; titles.len() * genres * modalities],
        unimodal: vec![f32::NAN; titles.len() * genres * modalities],
        attention: titles
            .iter()
            .map(|&title| (0..modalities).map(|m| weights(m, title)).collect())
            .collect(),
        scored: titles
            .iter()
            .map(|&title| data.modalities.iter().any(|table| table.present(title)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use base::TitleId;
    use dataset::ModalityTable;
    use store::Ragged;

    use super::*;

    /// One genre, three modalities: 10 for the first, 1 for the second, 4 more for both together.
    struct Game;

    impl SubsetScorer for Game {
        fn prior(&self) -> &[f32] {
            &[6.0]
        }

        fn score(
            &self,
            _: &Dataset,
            titles: &[usize],
            using: &[bool],
        ) -> Result<Vec<f32>, LearnError> {
            let worth = |m: usize, worth: f32| if using[m] { worth } else { 0.0 };
            let both = if using[0] && using[1] { 4.0 } else { 0.0 };
            Ok(vec![6.0 + worth(0, 10.0) + worth(1, 1.0) + both; titles.len()])
        }
    }

    #[test]
    fn contributions_are_shapleys() {
        let table = |present: [bool; 3]| {
            let mut ragged = Ragged::new(1);
            for there in present {
                ragged.push(if there { &[0.0] } else { &[] }, &[]);
            }
            ModalityTable::new("m", Content::Rows(ragged)).into()
        };
        let data = Dataset {
            titles: ["a", "b", "c"].map(TitleId::new).to_vec(),
            genres: vec!["g".into()],
            labels: vec![false; 3],
            label_weights: None,
            modalities: vec![
                table([true, true, false]),
                table([true, false, false]),
                table([true, true, false]),
            ],
        };
        let p = explain(&Game, &data, &[0, 1, 2]).unwrap();
        // All three: what the first two share is halved, the prior is shared out by three.
        assert_eq!(p.contributions, [14.0, 5.0, 2.0, 13.0, 0.0, 3.0, 0.0, 0.0, 0.0]);
        assert_eq!(p.logits, [21.0, 16.0, 6.0]);
        assert_eq!(p.unimodal[..3], [16.0, 7.0, 6.0]);
        assert!(p.unimodal[4].is_nan() && !p.unimodal[5].is_nan());
        assert_eq!(p.scored, [true, true, false]);
    }
}
