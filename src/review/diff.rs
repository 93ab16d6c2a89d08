//! Read against entry, character by character: what an officer has to see at a glance.

use serde::Serialize;

use crate::watchlist::text::EQUIVALENT;

/// Costs of an alignment: another character that readers confuse with it, another one, one that is missing or too many. Only their order counts.
const EQUIVALENT_COST: u32 = 2;
const OTHER_COST: u32 = 5;
const GAP_COST: u32 = 4;

/// How a position of the read meets one of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Meets {
    /// The same character.
    Same,
    /// One that readers take for the other.
    Equivalent,
    /// Another one.
    Other,
    /// The entry has one more here.
    Missing,
    /// The read has one more here.
    Extra,
}

/// One column of the comparison.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Column {
    /// What was read; none where the entry has one more.
    #[schema(value_type = Option<String>)]
    pub read: Option<char>,
    /// How probable, 0..=1.
    pub probability: Option<f32>,
    /// What the entry has; none where the read has one more.
    #[schema(value_type = Option<String>)]
    pub sought: Option<char>,
    /// How probable the reader found that here, 0..=1; 0 below a thousandth.
    pub sought_probability: Option<f32>,
    /// How they meet.
    pub meets: Meets,
}

/// Aligns a read (per position its likeliest characters, most probable first) with an entry's text; what is neither letter nor digit in that is left out.
pub fn columns(read: &[Vec<(char, f32)>], sought: &str) -> Vec<Column> {
    let sought: Vec<char> = sought.chars().filter(char::is_ascii_alphanumeric).map(|one| one.to_ascii_uppercase()).collect();
    let best: Vec<(char, f32)> = read.iter().map(|position| position.first().copied().unwrap_or(('?', 0.0))).collect();
    let (rows, width) = (best.len() + 1, sought.len() + 1);
    let mut cost = vec![0u32; rows * width];
    for row in 0..rows {
        for at in 0..width {
            let before = |row: usize, at: usize| cost[row * width + at];
            cost[row * width + at] = match (row, at) {
                (0, _) => at as u32 * GAP_COST,
                (_, 0) => row as u32 * GAP_COST,
                _ => (before(row - 1, at - 1) + price(best[row - 1].0, sought[at - 1])).min(before(row - 1, at) + GAP_COST).min(before(row, at - 1) + GAP_COST),
            };
        }
    }
    let (mut row, mut at) = (best.len(), sought.len());
    let mut columns = Vec::with_capacity(row.max(at));
    while row > 0 || at > 0 {
        let here = cost[row * width + at];
        if row > 0 && at > 0 && here == cost[(row - 1) * width + at - 1] + price(best[row - 1].0, sought[at - 1]) {
            (row, at) = (row - 1, at - 1);
            let found = read[row].iter().find(|one| one.0 == sought[at]).map_or(0.0, |one| one.1);
            columns.push(Column {
                read: Some(best[row].0),
                probability: Some(best[row].1),
                sought: Some(sought[at]),
                sought_probability: Some(found),
                meets: meets(best[row].0, sought[at]),
            });
        } else if row > 0 && here == cost[(row - 1) * width + at] + GAP_COST {
            row -= 1;
            let (character, probability) = best[row];
            columns.push(Column { read: Some(character), probability: Some(probability), sought: None, sought_probability: None, meets: Meets::Extra });
        } else {
            at -= 1;
            columns.push(Column { read: None, probability: None, sought: Some(sought[at]), sought_probability: None, meets: Meets::Missing });
        }
    }
    columns.reverse();
    columns
}

fn meets(read: char, sought: char) -> Meets {
    let class = |character: char| EQUIVALENT.iter().position(|class| class.iter().any(|&member| char::from(member) == character));
    match () {
        () if read == sought => Meets::Same,
        () if class(read).is_some() && class(read) == class(sought) => Meets::Equivalent,
        () => Meets::Other,
    }
}

fn price(read: char, sought: char) -> u32 {
    match meets(read, sought) {
        Meets::Same => 0,
        Meets::Equivalent => EQUIVALENT_COST,
        Meets::Other | Meets::Missing | Meets::Extra => OTHER_COST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(read: &str, sought: &str, want: &str) {
        let read: Vec<_> = read.chars().map(|one| vec![(one, 0.9), ('Z', 0.05)]).collect();
        let got: String = columns(&read, sought)
            .iter()
            .map(|column| match column.meets {
                Meets::Same => '=',
                Meets::Equivalent => '~',
                Meets::Other => '!',
                Meets::Missing => '-',
                Meets::Extra => '+',
            })
            .collect();
        assert_eq!(got, want, "{read:?} against {sought}");
    }

    #[test]
    fn differences_stand_where_they_are() {
        check("ABC123", "ABC-123", "======");
        check("FK5387T", "FKS387T", "==~====");
        check("722PWD", "722pwk", "=====!");
        check("ABC12", "ABC123", "=====-");
        check("XABC123", "ABC123", "+======");
        check("", "AB", "--");
        check("AB", "", "++");
    }

    #[test]
    fn a_column_says_what_the_reader_thought_of_the_entry() {
        let read = [vec![('S', 0.7), ('5', 0.3)], vec![('A', 1.0)]];
        let columns = columns(&read, "5B");
        assert_eq!((columns[0].sought_probability, columns[1].sought_probability), (Some(0.3), Some(0.0)));
    }
}
