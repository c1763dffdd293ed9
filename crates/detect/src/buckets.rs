//! Which bucket of the filter each window gets.
//!
//! Windows that share a bucket mix, distance by distance, so the wrong neighbours make a bucket report nearly
//! everything. How often a bucket reports is counted in a sample of what is read. What the sample does not hold may
//! come all the same, so that a rough model of what texts are made of has a say as well. Each window in turn, the
//! commonest first, goes where it adds least.

use std::cmp::Reverse;

use obelus_json::filter::{BUCKETS, ByteSet, Exact, OFFSETS, SPAN, WORD_BUCKETS, Window};

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

/// Some of each kind of corpus (`corpora KIND 4K 77`). It decides how fast texts like it are read, and nothing else.
const SAMPLE: &[u8] = include_bytes!("buckets/sample.txt");

/// How many positions of the sample are looked at, in words of 64 bits.
const WORDS: usize = (SAMPLE.len() - SPAN) / 64;

/// What the model says counts as much as this part of the sample.
const MODEL_WEIGHT: f32 = 0.1;

/// What a bank of eight buckets costs at a position, in candidates.
const BANK_COST: f32 = 0.003;

/// The sample, ready to be asked.
struct Sample {
    /// For each byte, where it stands: one bit a position.
    of_byte: Vec<[u64; WORDS + 1]>,
    /// Positions that are not in the middle of a word.
    begins: [u64; WORDS],
}

impl Sample {
    fn new() -> Sample {
        let mut sample = Sample { of_byte: vec![[0; WORDS + 1]; 128], begins: [0; WORDS] };
        let mut in_word = false;
        for (at, byte) in SAMPLE.iter().enumerate().take(64 * (WORDS + 1)) {
            let (word, bit) = (at / 64, 1 << (at % 64));
            sample.of_byte[usize::from(byte & 0x7F)][word] |= bit;
            if let Some(begins) = sample.begins.get_mut(word).filter(|_| !in_word) {
                *begins |= bit;
            }
            in_word = byte.is_ascii_alphanumeric();
        }
        sample
    }

    /// Where a byte of `set` stands `offset` further on.
    fn holds(&self, set: ByteSet, offset: usize) -> Vec<u64> {
        let mut all = [0; WORDS + 1];
        for byte in set.bytes() {
            all.iter_mut().zip(&self.of_byte[usize::from(byte)]).for_each(|(bits, more)| *bits |= more);
        }
        // Shifted twice, as 64 at once would be too many.
        let shifted = |pair: &[u64]| pair[0] >> offset | pair[1] << 1 << (63 - offset);
        all.windows(2).map(shifted).collect()
    }

    /// Where each set of a window allows what stands there.
    fn seen(&self, window: &Window, begins_words: bool) -> [Vec<u64>; PLACES] {
        let mut places = std::array::from_fn(|place| self.holds(window.sets[place], OFFSETS[place]));
        if begins_words {
            places[0].iter_mut().zip(self.begins).for_each(|(bits, begins)| *bits &= begins);
        }
        places
    }
}

/// A window, or several that share a bucket.
#[derive(Clone)]
struct Bucket {
    sets: [ByteSet; PLACES],
    /// For each place and sort, how likely a byte is let through.
    chances: [[f32; SORTS.len()]; PLACES],
    /// For each place, where in the sample.
    seen: [Vec<u64>; PLACES],
    /// In how many positions of the sample it is reported, more or less.
    cost: f32,
}

/// The bucket of each window; those that are said to begin words get one that is reported there only. No more banks
/// are used than pay.
pub(crate) fn assign(windows: impl Iterator<Item = (Window, bool)>) -> Vec<u8> {
    let (sample, model) = (Sample::new(), Model::new());
    let windows: Vec<(Bucket, bool)> = windows
        .map(|(window, begins_words)| (Bucket::of(&window, begins_words, &sample, &model), begins_words))
        .collect();
    let mut order: Vec<usize> = (0..windows.len()).collect();
    order.sort_by(|&left, &right| windows[right].0.cost.total_cmp(&windows[left].0.cost));
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

/// The bucket of each of the windows, taken in order, among so many, and what it costs then.
fn assign_to(
    buckets: usize,
    windows: &[(Bucket, bool)],
    order: &[usize],
    model: &Model,
) -> Option<(f32, Vec<u8>)> {
    let mut grown = vec![Bucket::empty(); buckets];
    let mut room = vec![Exact::CAPACITY; buckets];
    let mut assigned = vec![0; windows.len()];
    for &idx in order {
        let (window, begins_words) = &windows[idx];
        let range = if *begins_words { 0..WORD_BUCKETS } else { WORD_BUCKETS..buckets };
        let costs = range
            .filter(|bucket| room[*bucket] > 0)
            .map(|bucket| (bucket, grown[bucket].cost_with(window, model)));
        let added = |(bucket, cost): &(usize, f32)| cost - grown[*bucket].cost;
        let (bucket, cost) = costs.min_by(|left, right| added(left).total_cmp(&added(right)))?;
        grown[bucket].take(window, cost, model);
        room[bucket] -= 1;
        assigned[idx] = u8::try_from(bucket).ok()?;
    }
    let reported: f32 = grown.iter().map(|bucket| bucket.cost).sum();
    Some((reported + BANK_COST * (64 * WORDS) as f32 * (buckets / 8) as f32, assigned))
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
    fn empty() -> Bucket {
        Bucket {
            sets: [ByteSet::of(&[]); PLACES],
            chances: [[0.0; SORTS.len()]; PLACES],
            seen: std::array::from_fn(|_| vec![0; WORDS]),
            cost: 0.0,
        }
    }

    /// A bucket of one window.
    fn of(window: &Window, begins_words: bool, sample: &Sample, model: &Model) -> Bucket {
        let mut bucket = Bucket { seen: sample.seen(window, begins_words), ..Bucket::empty() };
        bucket.allow(&window.sets, model);
        bucket.cost = bucket.cost_with(&Bucket::empty(), model);
        bucket
    }

    fn allow(&mut self, sets: &[ByteSet; PLACES], model: &Model) {
        for ((set, chances), more) in self.sets.iter_mut().zip(&mut self.chances).zip(sets) {
            model.add(chances, more.without(*set));
            *set = set.or(*more);
        }
    }

    /// What it costs with one more window.
    fn cost_with(&self, window: &Bucket, model: &Model) -> f32 {
        let mut all = [u64::MAX; WORDS];
        for (seen, more) in self.seen.iter().zip(&window.seen) {
            all.iter_mut().zip(seen).zip(more).for_each(|((all, seen), more)| *all &= seen | more);
        }
        let counted: u32 = all.iter().map(|bits| bits.count_ones()).sum();
        let mut chances = self.chances;
        for ((chances, set), more) in chances.iter_mut().zip(self.sets).zip(window.sets) {
            model.add(chances, more.without(set));
        }
        let of_sort = |sort: usize| SORTS[sort].0 * chances.iter().map(|place| place[sort]).product::<f32>();
        let expected: f32 = (0..SORTS.len()).map(of_sort).sum();
        counted as f32 + MODEL_WEIGHT * (64 * WORDS) as f32 * expected
    }

    /// Takes one more window, which costs so much.
    fn take(&mut self, window: &Bucket, cost: f32, model: &Model) {
        self.allow(&window.sets, model);
        for (seen, more) in self.seen.iter_mut().zip(&window.seen) {
            seen.iter_mut().zip(more).for_each(|(bits, more)| *bits |= more);
        }
        self.cost = cost;
    }
}
