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

/// Some of each kind of corpus (`corpora KIND 2K 77`). It decides how fast texts like it are read, and nothing else.
const SAMPLE: &[u8] = include_bytes!("buckets/sample.txt");

/// How many positions of the sample are looked at, in words of 64 bits.
const WORDS: usize = (SAMPLE.len() - SPAN) / 64;

/// What halves of bytes let through counts as much as this part of what whole bytes do.
const HALVES_WEIGHT: f32 = 0.1;

/// What the model says counts as much as this part of the sample.
const MODEL_WEIGHT: f32 = 0.1;

/// What a bank of eight buckets costs at a position, in candidates.
const BANK_COST: f32 = 0.003;

/// More windows than this fill all banks.
const MANY: usize = 128;

/// Positions of the sample, one bit each.
type Positions = [u64; WORDS];

/// The sample, ready to be asked.
struct Sample {
    /// For each byte, where it stands; then for each lower and each upper half of a byte.
    of_byte: Vec<[u64; WORDS + 1]>,
    of_low: Vec<[u64; WORDS + 1]>,
    of_high: Vec<[u64; WORDS + 1]>,
    /// Positions that are not in the middle of a word.
    begins: Positions,
}

impl Sample {
    fn new() -> Sample {
        let nowhere = |count: usize| vec![[0; WORDS + 1]; count];
        let (of_byte, of_low, of_high) = (nowhere(128), nowhere(16), nowhere(8));
        let mut sample = Sample { of_byte, of_low, of_high, begins: [0; WORDS] };
        let mut in_word = false;
        for (at, byte) in SAMPLE.iter().enumerate().take(64 * (WORDS + 1)) {
            let (word, bit) = (at / 64, 1 << (at % 64));
            let byte = usize::from(byte & 0x7F);
            sample.of_byte[byte][word] |= bit;
            sample.of_low[byte & 15][word] |= bit;
            sample.of_high[byte >> 4][word] |= bit;
            if let Some(begins) = sample.begins.get_mut(word).filter(|_| !in_word) {
                *begins |= bit;
            }
            in_word = SAMPLE[at].is_ascii_alphanumeric();
        }
        sample
    }

    /// Where a byte of `set` stands `offset` further on, and one with a lower or upper half of one of them.
    fn holds(&self, set: ByteSet, offset: usize) -> [Positions; 3] {
        let mut all = [[0; WORDS + 1]; 3];
        for byte in set.bytes().map(usize::from) {
            let tables = [&self.of_byte[byte], &self.of_low[byte & 15], &self.of_high[byte >> 4]];
            for (all, more) in all.iter_mut().zip(tables) {
                all.iter_mut().zip(more).for_each(|(bits, more)| *bits |= more);
            }
        }
        // Shifted twice, as 64 at once would be too many.
        all.map(|all| std::array::from_fn(|word| all[word] >> offset | all[word + 1] << 1 << (63 - offset)))
    }

    /// Where each set of a window allows what stands there.
    fn seen(&self, window: &Window, begins_words: bool) -> Vec<[Positions; 3]> {
        let mut places: Vec<[Positions; 3]> =
            window.sets.into_iter().zip(OFFSETS).map(|(set, offset)| self.holds(set, offset)).collect();
        if begins_words {
            for seen in &mut places[0] {
                seen.iter_mut().zip(self.begins).for_each(|(bits, begins)| *bits &= begins);
            }
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
    /// For each place, where in the sample: by whole bytes as AVX-512 sees them, by lower and upper halves as AVX2 does.
    seen: Vec<[Positions; 3]>,
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
    let fewest = if windows.len() > MANY { BUCKETS } else { 2 * WORD_BUCKETS };
    let layouts =
        (fewest..=BUCKETS).step_by(8).filter_map(|buckets| assign_to(buckets, &windows, &order, &model));
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
            seen: vec![[[0; WORDS]; 3]; PLACES],
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
        let (mut whole, mut halves) = ([u64::MAX; WORDS], [u64::MAX; WORDS]);
        for ([seen, seen_low, seen_high], [more, more_low, more_high]) in self.seen.iter().zip(&window.seen) {
            for word in 0..WORDS {
                whole[word] &= seen[word] | more[word];
                halves[word] &= (seen_low[word] | more_low[word]) & (seen_high[word] | more_high[word]);
            }
        }
        let count = |positions: Positions| positions.iter().map(|bits| bits.count_ones()).sum::<u32>();
        let counted = count(whole) as f32 + HALVES_WEIGHT * count(halves) as f32;
        let mut chances = self.chances;
        for ((chances, set), more) in chances.iter_mut().zip(self.sets).zip(window.sets) {
            model.add(chances, more.without(set));
        }
        let of_sort = |sort: usize| SORTS[sort].0 * chances.iter().map(|place| place[sort]).product::<f32>();
        let expected: f32 = (0..SORTS.len()).map(of_sort).sum();
        counted + MODEL_WEIGHT * (64 * WORDS) as f32 * expected
    }

    /// Takes one more window, which costs so much.
    fn take(&mut self, window: &Bucket, cost: f32, model: &Model) {
        self.allow(&window.sets, model);
        for (seen, more) in self.seen.as_flattened_mut().iter_mut().zip(window.seen.as_flattened()) {
            seen.iter_mut().zip(more).for_each(|(bits, more)| *bits |= more);
        }
        self.cost = cost;
    }
}
