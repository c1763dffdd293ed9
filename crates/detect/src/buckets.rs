//! Which bucket of the filter each window gets.
//!
//! Windows that share a bucket mix, distance by distance, so the wrong neighbours make a bucket report nearly
//! everything. How often a bucket reports is estimated from a rough model of what texts are made of; each window in
//! turn, the commonest first, goes where it adds least.

use std::cmp::Reverse;

use obelus_json::filter::{BUCKETS, ByteSet, Exact, OFFSETS, WORD_BUCKETS, Window};

/// How many windows are the length of a window.
const PLACES: usize = OFFSETS.len();

/// One sort of text: how often it occurs, and which bytes it consists of, by weight.
type Sort = (f32, &'static [(&'static [u8], f32)]);

/// Bytes come in company: digits beside digits, words beside words. One frequency for each byte alone would take
/// runs of digits for rare.
const SORTS: [Sort; 4] = [
    (
        0.55,
        &[
            (b"etaoinsr", 6.0),
            (b"hldcumfpg", 3.0),
            (b"wybvkxjqz", 1.0),
            (b" ", 12.0),
            (b".,-'_", 1.0),
            (b"AEIOSTCMP", 0.3),
        ],
    ),
    (
        0.25,
        &[
            (b"\"", 12.0),
            (b":,", 6.0),
            (b"etaoinsrcdpm_", 4.0),
            (b"hlufgbyvk", 2.0),
            (b" {}[]\n", 2.0),
            (b"01235", 1.0),
        ],
    ),
    (0.12, &[(b"0123456789", 7.0), (b"-.: ", 3.0), (b"abcdef", 1.0), (b"\",/TZ+", 1.0)]),
    (
        0.08,
        &[
            (b"abcdefghijklmnopqrstuvwxyz", 1.2),
            (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1.0),
            (b"0123456789", 1.6),
            (b"_-/.\"", 1.0),
        ],
    ),
];

/// How likely each byte is in each sort of text.
#[derive(Debug)]
struct Model([[f32; 128]; SORTS.len()]);

/// What one bucket lets through.
#[derive(Clone, Copy)]
struct Bucket {
    sets: [ByteSet; PLACES],
    /// For each place and sort, how likely a byte is let through.
    chances: [[f32; SORTS.len()]; PLACES],
    /// How likely a position is reported.
    cost: f32,
}

/// What a bank of eight buckets costs at a position, in candidates.
const BANK_COST: f32 = 0.003;

/// The bucket of each window; those that are said to begin words get one that is reported there only. No more banks
/// are used than pay.
pub(crate) fn assign(windows: impl Iterator<Item = (Window, bool)>) -> Vec<u8> {
    let windows: Vec<(Window, bool)> = windows.collect();
    let model = Model::new();
    let alone: Vec<f32> = windows.iter().map(|(window, _)| Bucket::EMPTY.with(window, &model).cost).collect();
    let mut order: Vec<usize> = (0..windows.len()).collect();
    order.sort_by(|&left, &right| alone[right].total_cmp(&alone[left]));
    let layouts =
        (16..=BUCKETS).step_by(8).filter_map(|buckets| assign_to(buckets, &windows, &order, &model));
    let best = layouts.min_by(|(left, _), (right, _)| left.total_cmp(right));
    best.map(|(_, assigned)| assigned).unwrap_or_default()
}

/// Which buckets are looked up together: for each of them the number of its group, of which none holds more windows than
/// can be told apart. The fullest first, each where there is room.
pub(crate) fn group(assigned: &[u8]) -> [u8; BUCKETS] {
    let mut sizes = [0; BUCKETS];
    assigned.iter().for_each(|bucket| sizes[usize::from(*bucket)] += 1);
    let mut order: Vec<usize> = (0..BUCKETS).collect();
    order.sort_by_key(|&bucket| Reverse(sizes[bucket]));
    let mut rooms = vec![Exact::CAPACITY];
    let mut groups = [0; BUCKETS];
    for bucket in order {
        let group = rooms.iter().position(|room| *room >= sizes[bucket]).unwrap_or(rooms.len());
        if group == rooms.len() {
            rooms.push(Exact::CAPACITY);
        }
        rooms[group] -= sizes[bucket];
        groups[bucket] = u8::try_from(group).unwrap_or(0);
    }
    groups
}

/// The bucket of each of the windows, taken in order, among so many, and what a position costs then.
fn assign_to(
    buckets: usize,
    windows: &[(Window, bool)],
    order: &[usize],
    model: &Model,
) -> Option<(f32, Vec<u8>)> {
    let mut grown = vec![Bucket::EMPTY; buckets];
    let mut room = vec![Exact::CAPACITY; buckets];
    let mut assigned = vec![0; windows.len()];
    for &idx in order {
        let (window, begins_words) = &windows[idx];
        let range = if *begins_words { 0..WORD_BUCKETS } else { WORD_BUCKETS..buckets };
        let with = range
            .filter(|bucket| room[*bucket] > 0)
            .map(|bucket| (bucket, grown[bucket].with(window, model)));
        let added = |(bucket, with): &(usize, Bucket)| with.cost - grown[*bucket].cost;
        let (bucket, with) = with.min_by(|left, right| added(left).total_cmp(&added(right)))?;
        grown[bucket] = with;
        room[bucket] -= 1;
        assigned[idx] = u8::try_from(bucket).ok()?;
    }
    let reported: f32 = grown.iter().map(|bucket| bucket.cost).sum();
    Some((reported + BANK_COST * (buckets / 8) as f32, assigned))
}

impl Model {
    fn new() -> Model {
        Model(SORTS.map(|(_, groups)| {
            // Any byte may occur.
            let mut weights = [0.02; 128];
            for (bytes, weight) in groups {
                for byte in *bytes {
                    weights[usize::from(*byte)] += weight;
                }
            }
            let sum: f32 = weights.iter().sum();
            weights.map(|weight| weight / sum)
        }))
    }

    /// Adds to `chances` those of the bytes of `set`.
    fn add(&self, chances: &mut [f32; SORTS.len()], set: ByteSet) {
        for byte in set.bytes() {
            for (chance, weights) in chances.iter_mut().zip(&self.0) {
                *chance += weights[usize::from(byte)];
            }
        }
    }
}

impl Bucket {
    const EMPTY: Bucket =
        Bucket { sets: [ByteSet::of(&[]); PLACES], chances: [[0.0; SORTS.len()]; PLACES], cost: 0.0 };

    /// The bucket with one more window.
    fn with(mut self, window: &Window, model: &Model) -> Bucket {
        for ((set, chances), more) in self.sets.iter_mut().zip(&mut self.chances).zip(window.sets) {
            model.add(chances, more.without(*set));
            *set = set.or(more);
        }
        let chances = self.chances;
        let of_sort = |sort: usize| SORTS[sort].0 * chances.iter().map(|place| place[sort]).product::<f32>();
        self.cost = (0..SORTS.len()).map(of_sort).sum();
        self
    }
}
