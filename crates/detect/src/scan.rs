//! From candidates to findings, in pieces.
//!
//! The text arrives cut anywhere, yet the findings must be those of the whole. So nothing may depend on
//! what happens to be present:
//!
//! ```text
//!            from                        known          end of the piece
//!   context │ settled ─► matches ─► clusters │ undecided │
//!                                 release ┘
//! ```
//!
//! * A candidate sees a part of fixed size around itself. If that part reaches over the end of an open text
//!   and the detector read there, the candidate is undecided, and so is everything behind it (`known`).
//! * Matches that overlap are one cluster: one finding that covers them all. A cluster that has become
//!   [`CLUSTER_LEN`] long takes in no more; matches that stick out of it begin the next one.
//! * No candidate at or behind `known` can match anything before what [`reach`] says: clusters that end before
//!   that are final. The rest is released for another time, from the first cluster that is not final.
//!
//! Invariants:
//!  (a) A match found again that begins before `from` is covered already, by what was reported or by `Carry`.
//!  (b) Clusters begin at the same places however often scanning was taken up, because it is taken up where
//!      one begins or where none is.

use std::cmp::Reverse;

use obelus_json::Arch;
use obelus_json::filter::{BUCKETS, ByteSet, Exact, Filter, OFFSETS, SPAN, Seen, Window};

use crate::buckets;
use crate::carried::{self, Carried};
use crate::detector::{Detector, Find, NEVER, Triggers};
use crate::detectors::national::Kinds;
use crate::detectors::{self, ALL, token_skip};
use crate::encoded::{self, Encoding};
use crate::reach::reach;
use crate::view::{Class, View};

/// The length from which a cluster takes in no more matches.
const CLUSTER_LEN: usize = 512;

/// Up to this length a text of small letters and underscores matches nothing: the shortest secret of such signs
/// has a prefix of eight and a body of ten.
const PLAIN_LEN_MAX: usize = 17;

/// How many bytes there are that sets tell apart.
const ASCII: usize = 128;

/// The length of the pieces in which a secret beyond its detector's reach is reported.
const SWALLOW_LEN: usize = 4096;

/// The rank of a value that the document has shown: what it is called there says more than a form that is seldom
/// something else, and less than a check.
const CARRIED_RANK: u8 = 46;

/// Letters and digits.
const ANY_WORD: ByteSet = ByteSet::ALPHA.or(ByteSet::DIGIT);

/// Index into [`Detectors::detectors`].
pub type RuleIx = u16;

/// A span of a text that is sensitive, and the rule that says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Match {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
    /// The rule.
    pub rule: RuleIx,
    /// It ends where its detector could see no further.
    goes_on: bool,
}

/// A text, or as much of it as is present.
#[derive(Clone, Copy, Default)]
pub struct Piece<'t> {
    /// The bytes: up to [`BEHIND_MAX`](crate::BEHIND_MAX) of context, then what is new.
    pub text: &'t [u8],
    /// Where the new text begins.
    pub from: usize,
    /// Whether more text may follow.
    pub open: bool,
    /// From how many encodings the text was decoded; zero for a text as it came.
    pub depth: u8,
    /// What the document has shown so far.
    pub carried: Option<&'t Carried>,
}

impl std::fmt::Debug for Piece<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece").field("from", &self.from).field("open", &self.open).finish_non_exhaustive()
    }
}

/// What is known already of the text behind the release point. Belongs to one text; begin with the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carry(Option<Inheritance>);

impl Carry {
    /// Whether nothing goes on from the text before.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// The beginning of a cluster, decided by matches that began before it.
#[derive(Clone, Copy, Debug)]
struct Inheritance {
    /// How far those matches reach, from the beginning of the cluster. May be zero.
    len: usize,
    /// Rule and length of the one that names it.
    label: Option<(RuleIx, usize)>,
    /// The rule whose run goes on here.
    swallow: Option<RuleIx>,
}

/// Detectors compiled to one filter.
#[derive(Debug)]
pub struct Detectors {
    detectors: Vec<&'static Detector>,
    filter: Filter,
    /// Which windows hold: the filter only says that one of a bucket nearly does.
    groups: Vec<Group>,
    /// The group that the windows of each bucket are in.
    group_of: [u8; BUCKETS],
    lead_max: usize,
    card: Option<RuleIx>,
    kinds: Kinds,
}

impl Detectors {
    /// Compiles the detectors that `keep` chooses.
    pub fn new(keep: impl Fn(&Detector) -> bool) -> Detectors {
        let detectors: Vec<&'static Detector> = Detectors::all().filter(|detector| keep(detector)).collect();
        let mut kinds = Kinds::default();
        let mut shapes: Vec<Shape> = Vec::new();
        for (rule, detector) in (0..).zip(&detectors) {
            if let Find::Kind(kind) = detector.find {
                kinds.add(rule, kind);
                // The first of them is asked for all.
                if !kinds.is_first() {
                    continue;
                }
            }
            let bounded = if begins_words(detector) { ANY_WORD } else { detector.bounded };
            let shape = |window| Shape { window, whom: Whom::Detector(rule), bounded };
            shapes.extend(windows_of(detector).into_iter().map(shape));
        }
        let encoded = |&(window, encoding)| Shape {
            window,
            whom: Whom::Encoding(encoding),
            bounded: if encoding == Encoding::Base64 { ANY_WORD } else { NEVER },
        };
        shapes.extend(encoded::WINDOWS.iter().map(encoded));
        let places = buckets::assign(shapes.iter().map(|shape| (shape.window, shape.begins_words())));
        let group_of = buckets::group(&places);
        let of_group = |group: u8| -> Vec<&Shape> {
            let pairs = shapes.iter().zip(&places);
            pairs
                .filter(|(_, place)| group_of[usize::from(**place)] == group)
                .map(|(shape, _)| shape)
                .collect()
        };
        let groups = 1 + group_of.iter().max().copied().unwrap_or(0);
        Detectors {
            filter: Filter::new(
                &shapes.iter().map(|shape| shape.window).zip(places.iter().copied()).collect::<Vec<_>>(),
            ),
            groups: (0..groups).map(|group| Group::new(&of_group(group))).collect(),
            group_of,
            lead_max: detectors.iter().map(|detector| detector.lead).fold(encoded::LEAD, usize::max),
            card: (0..).zip(&detectors).find(|(_, detector)| detector.id == "card-number").map(|(ix, _)| ix),
            detectors,
            kinds,
        }
    }

    /// Every detector there is.
    pub fn all() -> impl Iterator<Item = &'static Detector> {
        ALL.iter().copied().flatten()
    }

    /// Says where candidates may be. A text without any holds no finding.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The detectors chosen; [`Match::rule`] counts them.
    pub fn detectors(&self) -> &[&'static Detector] {
        &self.detectors
    }

    /// Whether any detector could match in `text`, as far as a glance tells. A short text of small letters and
    /// underscores holds no digit, no sign and no room for a secret behind its prefix.
    #[inline]
    pub fn may_match(text: &[u8]) -> bool {
        text.len() > PLAIN_LEN_MAX || !text.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_')
    }

    /// The rule that a JSON number matches as a whole, given its text.
    pub fn number(&self, text: &[u8]) -> Option<RuleIx> {
        self.card.filter(|_| detectors::card::is_card_number(text))
    }

    /// Appends the findings of `piece` that are final, in order, and returns where it must be taken up again.
    ///
    /// Text before the returned offset is settled. While the piece is open, the next one begins up to
    /// [`BEHIND_MAX`](crate::BEHIND_MAX) bytes before that offset and says so in `from`. Otherwise the offset
    /// is the end of the text.
    pub fn scan(&self, arch: Arch, piece: Piece<'_>, carry: &mut Carry, out: &mut Vec<Match>) -> usize {
        let first = out.len();
        let known = self.collect(arch, piece, out);
        if out.len() == first && carry.0.is_none() {
            return release(piece, known);
        }
        self.conclude(piece, known, carry, out, first)
    }

    /// Makes findings of the matches `out[first..]`.
    fn conclude(
        &self,
        piece: Piece<'_>,
        known: usize,
        carry: &mut Carry,
        out: &mut Vec<Match>,
        first: usize,
    ) -> usize {
        if let [found] = &out[first..]
            && !(piece.open || found.goes_on || carry.0.is_some())
        {
            return release(piece, known);
        }
        if let Some(matches) = out.get_mut(first..) {
            matches.sort_unstable_by_key(|found| (found.start, Reverse(found.end), found.rule));
        }
        let matches_end = out.len();
        let at = self.settle(piece, known, carry, out, first);
        out.drain(first..matches_end);
        at
    }

    /// Asks whoever has a window that holds at one position, given what is seen there and the buckets that the filter
    /// reports.
    #[inline]
    fn ask_all(
        &self,
        piece: Piece<'_>,
        at: usize,
        seen: Seen,
        buckets: u32,
        answer: &mut impl FnMut(Answer),
    ) {
        if let [group] = self.groups.as_slice() {
            self.ask_group(group, piece, at, seen, answer);
        } else {
            let (mut bits, mut groups) = (buckets, 0u32);
            while bits != 0 {
                groups |= 1 << self.group_of[bits.trailing_zeros() as usize];
                bits &= bits - 1;
            }
            while groups != 0 {
                let group = &self.groups[groups.trailing_zeros() as usize];
                groups &= groups - 1;
                self.ask_group(group, piece, at, seen, answer);
            }
        }
        if let Some(carried) = piece.carried
            && carried.may_hold(seen)
        {
            answer(ask_carried(carried, piece, at));
        }
    }

    /// Asks whoever has a window in one group that holds.
    #[inline]
    fn ask_group(
        &self,
        group: &Group,
        piece: Piece<'_>,
        at: usize,
        seen: Seen,
        answer: &mut impl FnMut(Answer),
    ) {
        let mut held = group.windows.windows_of(seen);
        let bounded = held & group.bounded[usize::from(seen.first() & 0x7F)];
        if bounded != 0 && is_in_word(piece.text, at) {
            held &= !bounded;
        }
        while held != 0 {
            let Asked { whom, windows } = group.asked[held.trailing_zeros() as usize];
            held &= !windows;
            answer(match whom {
                Whom::Detector(rule) => self.ask(rule, piece, at),
                Whom::Encoding(encoding) => self.ask_decoded(encoding, piece, at),
            });
        }
    }

    /// Appends the findings of `piece`, which is whole ASCII, in order. `positions`, counted from `base`, are where the
    /// filter may report buckets.
    #[inline]
    pub fn scan_at(&self, piece: Piece<'_>, positions: &[usize], base: usize, out: &mut Vec<Match>) {
        let positions = positions.iter().filter_map(|position| position.checked_sub(base));
        self.read_at(piece, positions, out);
    }

    /// Appends the findings of a whole piece, of which candidates can only be at `positions`.
    #[inline]
    fn read_at(&self, piece: Piece<'_>, positions: impl Iterator<Item = usize>, out: &mut Vec<Match>) {
        let first = out.len();
        for at in positions {
            let seen = Seen::at(piece.text, at);
            let buckets = if self.groups.len() == 1 { 0 } else { self.filter.buckets_of(seen) };
            self.ask_all(piece, at, seen, buckets, &mut |answer| {
                if let Answer::Match(found) = answer {
                    out.push(found);
                }
            });
        }
        if out.len() > first {
            self.conclude(piece, piece.text.len(), &mut Carry::default(), out, first);
        }
    }

    /// Appends all matches that begin behind `from`; returns up to where every candidate is decided.
    fn collect(&self, arch: Arch, piece: Piece<'_>, out: &mut Vec<Match>) -> usize {
        let Piece { text, from, open, .. } = piece;
        let mut known = if open { self.begun(piece) } else { text.len() };
        if let Some(carried) = piece.carried
            && !text.is_ascii()
        {
            known = collect_carried(carried, piece, known, out);
        }
        let first = from.saturating_sub(self.lead_max);
        let extra = piece.carried.and_then(Carried::extra);
        self.filter.candidates(extra, arch, text, first, |at, seen, buckets| {
            if at >= known {
                return;
            }
            self.ask_all(piece, at, seen, buckets, &mut |answer| match answer {
                Answer::Nothing => {}
                Answer::Match(found) => out.push(found),
                Answer::Undecided => known = at,
            });
        });
        known
    }

    /// Where the first window may hold that reaches over the end of the text.
    fn begun(&self, piece: Piece<'_>) -> usize {
        let text = piece.text;
        let tail = text.len().saturating_sub(SPAN - 1);
        let begins = |at: &usize| {
            let in_word = is_in_word(text, *at);
            self.groups.iter().any(|group| {
                let held = group.windows.windows_begun(&text[*at..]);
                let bounded = group.bounded[usize::from(text[*at] & 0x7F)];
                (if in_word { held & !bounded } else { held }) != 0
            })
        };
        match piece.carried {
            Some(_) => tail,
            None => (tail..text.len()).find(begins).unwrap_or(text.len()),
        }
    }

    /// Up to where an open text without candidates is settled.
    pub fn settled(&self, piece: Piece<'_>) -> usize {
        release(piece, self.begun(piece))
    }

    /// Asks one detector about one position.
    #[inline]
    fn ask(&self, rule: RuleIx, piece: Piece<'_>, at: usize) -> Answer {
        let Piece { text, from, open, .. } = piece;
        let detector = self.detectors[usize::from(rule)];
        if at + detector.lead < from {
            return Answer::Nothing;
        }
        let limit = at + detector.ahead;
        let view = View::new(text, at.saturating_sub(detector.behind), limit, open);
        let found = match detector.find {
            Find::Kind(_) => self.kinds.find(&view, at),
            _ => detectors::find(detector, &view, at).map(|span| (rule, span)),
        };
        if view.is_undecided() {
            return Answer::Undecided;
        }
        let Some((rule, span)) = found else { return Answer::Nothing };
        // What reaches back further is cut off, and only then begins before what is settled or not.
        let begin = no_earlier(text, span.start, at);
        if begin < from {
            return Answer::Nothing;
        }
        let goes_on = span.end == limit && detector.swallow.is_some();
        if open && span.end == text.len() && !text[span.end - 1].is_ascii() {
            return Answer::Undecided;
        }
        let (start, end) = (char_start_from(text, begin), char_start_to(text, span.end));
        if start < end { Answer::Match(Match { start, end, rule, goes_on }) } else { Answer::Nothing }
    }

    /// Decodes what begins at one position and reads it: the first finding counts.
    fn ask_decoded(&self, encoding: Encoding, piece: Piece<'_>, at: usize) -> Answer {
        let Piece { text, from, open, depth, .. } = piece;
        if at + encoded::LEAD < from || depth == encoded::DEPTH_MAX {
            return Answer::Nothing;
        }
        let view = View::new(text, at.saturating_sub(2 * encoded::LEAD), at + encoding.ahead(), open);
        let decoded = encoding.decode(&view, at);
        if view.is_undecided() {
            return Answer::Undecided;
        }
        let Some(decoded) = decoded else { return Answer::Nothing };
        let mut out = Vec::new();
        let inner = Piece { text: &decoded.text, depth: depth + 1, ..Piece::default() };
        self.read_at(inner, 0..decoded.text.len(), &mut out);
        let found = out.iter().find_map(|found| Some((found.rule, decoded.source(found.start..found.end)?)));
        match found {
            Some((rule, span)) if span.start < span.end => match no_earlier(text, span.start, at) {
                begin if begin < from => Answer::Nothing,
                begin => Answer::Match(Match {
                    start: char_start_from(text, begin),
                    end: span.end,
                    rule,
                    goes_on: false,
                }),
            },
            _ => Answer::Nothing,
        }
    }

    /// Makes clusters of `out[first..]` and appends those that are final behind them.
    fn settle(
        &self,
        piece: Piece<'_>,
        known: usize,
        carry: &mut Carry,
        out: &mut Vec<Match>,
        first: usize,
    ) -> usize {
        let matches_end = out.len();
        let mut next = first;
        let mut inherited = carry.0.take().map(|inheritance| (piece.from, inheritance));
        loop {
            let mut cluster = match inherited.take() {
                Some((at, inheritance)) => self.inherit(piece, at, inheritance),
                None if next == matches_end => break,
                None => Cluster::at(out[next].start),
            };
            while next < matches_end && cluster.takes(&out[next]) {
                cluster.take(out[next], self);
                next += 1;
            }
            if piece.open && (cluster.undecided || cluster.end > reach(piece.text, known)) {
                carry.0 = cluster.inheritance;
                // A candidate not yet decided may match from before the cluster on, but not what was inherited.
                return cluster.start.min(release(piece, known));
            }
            let mut follower = Inheritance { len: 0, label: None, swallow: cluster.swallow };
            while next < matches_end && out[next].start < cluster.end {
                follower.take(out[next], cluster.end, self);
                next += 1;
            }
            if follower.len > 0 || follower.swallow.is_some() {
                inherited = Some((cluster.end, follower));
            }
            if let Some(rule) = cluster.rule() {
                out.push(Match { start: cluster.start, end: cluster.end, rule, goes_on: false });
            }
        }
        release(piece, known)
    }

    /// The cluster at `at` that begins with `inheritance`.
    fn inherit(&self, piece: Piece<'_>, at: usize, inheritance: Inheritance) -> Cluster {
        let mut cluster = Cluster::at(at);
        cluster.inheritance = Some(inheritance);
        if let Some((rule, len)) = inheritance.label {
            cluster.take(Match { start: at, end: at + len, rule, goes_on: false }, self);
        }
        cluster.end = cluster.end.max(at + inheritance.len);
        if let Some(rule) = inheritance.swallow
            && let Some(class) = self.detectors[usize::from(rule)].swallow
        {
            let begin = at + inheritance.len;
            let limit = begin + SWALLOW_LEN;
            let view = View::new(piece.text, begin, limit + 1, piece.open);
            let run = view.run_up_to(begin, SWALLOW_LEN, class);
            cluster.undecided = view.is_undecided() || (piece.open && piece.text.len() <= run);
            let end = char_start_to(piece.text, run);
            if end > begin {
                cluster.take(Match { start: at, end, rule, goes_on: run == limit }, self);
            }
        }
        cluster
    }

    /// What decides who names a cluster: higher wins.
    fn claim(&self, found: &Match) -> (u8, Reverse<usize>, usize, Reverse<RuleIx>) {
        let rank = self.detectors.get(usize::from(found.rule)).map_or(CARRIED_RANK, |detector| detector.rank);
        (rank, Reverse(found.start), found.end - found.start, Reverse(found.rule))
    }
}

/// Asks whether a value that the document has shown stands at one position.
fn ask_carried(carried: &Carried, piece: Piece<'_>, at: usize) -> Answer {
    if at < piece.from {
        return Answer::Nothing;
    }
    let view = View::new(piece.text, at.saturating_sub(carried::BEHIND), at + carried::AHEAD, piece.open);
    let found = carried.find(&view, at);
    match found {
        _ if view.is_undecided() => Answer::Undecided,
        Some((rule, span)) => Answer::Match(Match { start: span.start, end: span.end, rule, goes_on: false }),
        None => Answer::Nothing,
    }
}

/// Asks so wherever a word may begin: the filter does not know letters with marks. Returns up to where all is decided.
fn collect_carried(carried: &Carried, piece: Piece<'_>, known: usize, out: &mut Vec<Match>) -> usize {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte & 0xC0 == 0x80;
    for at in piece.from..known {
        let byte = piece.text[at];
        if byte & 0xC0 == 0x80 || at > 0 && is_letter(piece.text[at - 1]) && byte.is_ascii_alphanumeric() {
            continue;
        }
        match ask_carried(carried, piece, at) {
            Answer::Nothing => {}
            Answer::Match(found) => out.push(found),
            Answer::Undecided => return at,
        }
    }
    known
}

/// A window and who is asked where it holds.
struct Shape {
    window: Window,
    whom: Whom,
    /// The first bytes at which not in the middle of a word or number.
    bounded: ByteSet,
}

impl Shape {
    /// Whether the window holds nothing in the middle of a word or number.
    fn begins_words(&self) -> bool {
        self.window.sets[0].without(self.bounded) == NEVER
    }
}

/// Windows of some buckets, told apart. The fewer groups, the less memory a look-up touches.
#[derive(Debug)]
struct Group {
    windows: Exact,
    /// For each window.
    asked: Vec<Asked>,
    /// For each first byte, the windows that hold nothing there in the middle of a word or number.
    bounded: Box<[u64; ASCII]>,
}

/// Who is asked where a window holds.
#[derive(Clone, Copy, Debug)]
struct Asked {
    whom: Whom,
    /// All windows of the group for which it is.
    windows: u64,
}

impl Group {
    fn new(shapes: &[&Shape]) -> Group {
        let windows_of = |whom: Whom| {
            (0..)
                .zip(shapes)
                .filter(|(_, shape)| shape.whom == whom)
                .fold(0, |windows, (bit, _)| windows | 1 << bit)
        };
        let mut bounded = Box::new([0; ASCII]);
        for (bit, shape) in shapes.iter().enumerate() {
            shape.bounded.bytes().for_each(|byte| bounded[usize::from(byte)] |= 1 << bit);
        }
        Group {
            windows: Exact::new(shapes.iter().map(|shape| &shape.window)),
            asked: shapes
                .iter()
                .map(|shape| Asked { whom: shape.whom, windows: windows_of(shape.whom) })
                .collect(),
            bounded,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whom {
    Detector(RuleIx),
    Encoding(Encoding),
}

/// What a detector says about a position.
enum Answer {
    Nothing,
    Match(Match),
    /// It depends on text that is not there yet.
    Undecided,
}

/// Matches that overlap.
struct Cluster {
    start: usize,
    end: usize,
    label: Option<Match>,
    swallow: Option<RuleIx>,
    inheritance: Option<Inheritance>,
    undecided: bool,
}

impl Cluster {
    fn at(start: usize) -> Cluster {
        Cluster { start, end: start, label: None, swallow: None, inheritance: None, undecided: false }
    }

    fn rule(&self) -> Option<RuleIx> {
        self.label.map(|label| label.rule)
    }

    /// Whether `found`, the next in order, belongs to it.
    fn takes(&self, found: &Match) -> bool {
        let touches = found.start < self.end || (self.label.is_none() && found.start == self.start);
        touches && self.end - self.start < CLUSTER_LEN
    }

    fn take(&mut self, found: Match, detectors: &Detectors) {
        self.end = self.end.max(found.end);
        if found.goes_on {
            self.swallow = Some(self.swallow.map_or(found.rule, |rule| rule.min(found.rule)));
        }
        if self.label.is_none_or(|label| detectors.claim(&label) < detectors.claim(&found)) {
            self.label = Some(found);
        }
    }
}

impl Inheritance {
    /// Takes in what of `found` lies behind `at`, where the cluster begins.
    fn take(&mut self, found: Match, at: usize, detectors: &Detectors) {
        if found.goes_on {
            self.swallow = Some(self.swallow.map_or(found.rule, |rule| rule.min(found.rule)));
        }
        let Some(len) = found.end.checked_sub(at).filter(|&len| len > 0) else { return };
        self.len = self.len.max(len);
        let claim = |(rule, len): (RuleIx, usize)| {
            detectors.claim(&Match { start: at, end: at + len, rule, goes_on: false })
        };
        if self.label.is_none_or(|label| claim(label) < claim((found.rule, len))) {
            self.label = Some((found.rule, len));
        }
    }
}

/// Where a piece without an unfinished cluster is taken up again.
fn release(piece: Piece<'_>, known: usize) -> usize {
    if !piece.open {
        return piece.text.len();
    }
    let at = reach(piece.text, known).max(piece.from.min(piece.text.len()));
    char_start_to(piece.text, at).max(piece.from)
}

/// `start`, or how far a match may reach back from `at`. The word at `at` always may.
#[inline]
fn no_earlier(text: &[u8], start: usize, at: usize) -> usize {
    let has_space = || text[start..at].iter().any(|byte| *byte <= b' ');
    if start < at && has_space() { start.max(reach(text, at)) } else { start }
}

/// `pos`, or where the next character begins.
fn char_start_from(text: &[u8], mut pos: usize) -> usize {
    while text.get(pos).is_some_and(|byte| byte & 0xC0 == 0x80) {
        pos += 1;
    }
    pos
}

/// `pos`, or where the character around it begins.
fn char_start_to(text: &[u8], mut pos: usize) -> usize {
    while pos > 0 && text.get(pos).is_some_and(|byte| byte & 0xC0 == 0x80) {
        pos -= 1;
    }
    pos
}

/// Whether `at` is in the middle of a word or number, as the filter tells it: an escape is not part of one.
#[inline]
fn is_in_word(text: &[u8], at: usize) -> bool {
    let back = |len: usize| at.checked_sub(len).and_then(|at| text.get(at)).copied().unwrap_or(0);
    let is_escape = |byte| matches!(byte, b'\\' | b'%');
    back(1).is_ascii_alphanumeric() && !is_escape(back(2)) && !is_escape(back(3))
}

/// Whether the detector looks for the beginning of literals that are nothing in the middle of a word.
fn begins_words(detector: &Detector) -> bool {
    let (Triggers::Literals(literals), Find::Token(body)) = (detector.triggers, detector.find) else {
        return false;
    };
    body.edge == Class::WORD && literals.iter().all(|literal| token_skip(literal) == 0)
}

/// The shapes at which `detector` looks.
fn windows_of(detector: &Detector) -> Vec<Window> {
    let literals = match detector.triggers {
        Triggers::Windows(windows) => return windows.to_vec(),
        Triggers::Literals(literals) => literals,
    };
    let window = |literal: &&[u8]| {
        let Find::Token(body) = detector.find else {
            return Window::literal(literal);
        };
        let (_, tail) = literal.split_at(token_skip(literal));
        let mut window = Window::literal(tail);
        let body_at = tail.len()..tail.len() + body.len_min;
        for (set, _) in window.sets.iter_mut().zip(OFFSETS).filter(|(_, offset)| body_at.contains(offset)) {
            *set = byte_set(body.class);
        }
        window
    };
    literals.iter().map(window).collect()
}

/// `class` as the filter knows it.
fn byte_set(class: Class) -> ByteSet {
    let bytes: Vec<u8> = (0..128).filter(|&byte| class.has(byte)).collect();
    ByteSet::of(&bytes)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod work;
