//! The list of breached and common passwords of fifteen characters and more, as rules that generate it.
//!
//! Long passwords in breach corpora are almost all made the same few ways: a common word or two with
//! digits and punctuation, a word said twice, a walk over the keyboard, a sequence, years. Rules cover
//! the whole family, including next year's members, in the space of one page; a file of a million lines
//! would not. A password is on the list if *all* of it is explained by the rules.

use std::{collections::BTreeSet, sync::LazyLock};

/// Words that breach corpora are built from, lower case, letters only.
const WORDS: &str = "
    abcd admin administrator amanda andrea andrew angel angels anthony apple april arsenal ashley asdf august
    austin babygirl bailey banana barcelona baseball basketball batman beautiful blink blue buster butterfly
    changeme charlie cheese chelsea chester chocolate computer cookie corvette cowboy daniel december default demo
    diamond donald dragon eagle eminem example family february ferrari flower football forever freedom friend friends
    fuckyou ginger gmail golden google guest hannah happy hello hockey hunter iceman iloveyou internet jackson january
    jasmine jennifer jessica jesus jordan joshua july june justin killer liverpool login london lovely love loveme
    maggie manager march master matrix matthew maverick mercedes merlin michael michelle mickey monday money monkey
    morgan mother mustang mypassword naruto nicole november october orange pass passphrase passwd password
    passwort patrick peanut pepper pokemon princess purple qazwsx qwer qwert qwerty rainbow ranger robert root samantha
    samsung saturday secret secure september service shadow silver slipknot snoopy soccer spring starwars
    steelers summer sunday sunshine superman support sysadmin system temp tennis test tester thomas thunder
    tigger time trustno user victoria walter welcome whatever wilson winner winter yankees yellow you zxcv zxcvbn";

/// Long entries of the corpora that no rule explains.
const PHRASES: &[&str] = &[
    "correcthorsebatterystaple",
    "ifyoucanreadthis",
    "iknowyouknow",
    "iloveyousomuch",
    "iloveyoutoomuch",
    "imtheonlyone",
    "letmein",
    "letmeinnow",
    "letmeinplease",
    "thequickbrownfox",
    "thequickbrownfoxjumpsoverthelazydog",
    "thisisapassword",
    "thisismypassword",
    "thisisnotapassword",
    "tobeornottobe",
    "whatsmypassword",
    "youwillneverguess",
    "youwillneverknow",
];

/// Paths that fingers walk, forwards and backwards.
const TRACKS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "012345678901234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "asdfghjklqwertyuiopzxcvbnm",
    "zxcvbnmasdfghjklqwertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "a1b2c3d4e5f6g7h8i9j0",
    "1a2b3c4d5e6f7g8h9i0j",
];

const SHORTEST_STEP: usize = 4;
const SHORTEST_RUN: usize = 3;
/// Two common words make a listed password; three unrelated ones make a passphrase.
const MOST_WORDS: usize = 2;
const MOST_CONTEXT_WORDS: usize = 4;
/// As many digits and signs as a date has decorate a word; more are a secret of their own.
const MOST_SINGLES: usize = 8;
/// Longer than any word, step or context value; keeps the search linear.
const LONGEST_PIECE: usize = 64;

static LIST: LazyLock<BTreeSet<Vec<char>>> = LazyLock::new(|| {
    let words = WORDS.split_whitespace().chain(PHRASES.iter().copied());
    words.map(|word| word.chars().collect()).collect()
});

static STEPS: LazyLock<Vec<Vec<char>>> = LazyLock::new(|| {
    TRACKS
        .iter()
        .flat_map(|track| [track.chars().collect(), track.chars().rev().collect()])
        .collect()
});

/// How a text is explained: words first, then single characters that belong to none.
type Cost = (usize, usize);

/// Whether the whole password is on the list.
pub(super) fn is_common(password: &str) -> bool {
    let phrase = password.trim().contains(char::is_whitespace);
    let text = without_repetition(&characters::<Vec<char>>(password));
    if text.len() < SHORTEST_STEP {
        return true;
    }
    match explain(&text, &|word| LIST.contains(word), phrase) {
        // A walk with a space in it is somebody's acrostic; digits alone are judged as walks only.
        Some((0, _)) => !phrase && (text.iter().any(|c| c.is_alphabetic()) || is_walk(&text)),
        Some((words, singles)) => words <= MOST_WORDS && singles <= MOST_SINGLES,
        None => false,
    }
}

/// Whether the whole password is made of `context` words, with common words and decoration at most.
pub(super) fn is_made_of(password: &str, context: &[String]) -> bool {
    let context: BTreeSet<Vec<char>> = context.iter().map(|word| word.chars().collect()).collect();
    let common = |word: &[char]| LIST.contains(word);
    let either = |word: &[char]| common(word) || context.contains(word);
    let text = without_repetition(&characters::<Vec<char>>(password));
    if context.contains(&text) {
        return true;
    }
    let explained = explain(&text, &either, true)
        .is_some_and(|(words, singles)| words <= MOST_CONTEXT_WORDS && singles <= MOST_SINGLES);
    explained && explain(&text, &common, true).is_none()
}

/// The letters of `value` in lower case: the form in which words are compared.
pub(super) fn letters(value: &str) -> String {
    value
        .chars()
        .filter(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The text in lower case without spaces.
pub(super) fn characters<T: FromIterator<char>>(text: &str) -> T {
    let lower = text.chars().flat_map(char::to_lowercase);
    lower.filter(|c| !c.is_whitespace()).collect()
}

/// The piece as typed, and with digits and signs read as the letters they look like.
fn readings(piece: &[char]) -> [Vec<char>; 3] {
    let read = |one| piece.iter().map(|c| read_as_letter(*c, one)).collect();
    [piece.to_vec(), read('l'), read('i')]
}

fn read_as_letter(c: char, one: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' | '|' => one,
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        _ => c,
    }
}

/// `abcabcabca` becomes `abc`, `secretsecret` becomes `secret`.
fn without_repetition(text: &[char]) -> Vec<char> {
    let repeats = |unit: usize| (unit..text.len()).all(|at| text[at] == text[at - unit]);
    let unit = (1..=text.len() / 2).find(|unit| repeats(*unit));
    text[..unit.unwrap_or(text.len())].to_vec()
}

/// The cheapest way in which words, keyboard steps, runs, digits and signs make up all of `text`.
///
/// `plain` leaves out steps and runs: then every letter must belong to a word.
fn explain(text: &[char], is_word: &dyn Fn(&[char]) -> bool, plain: bool) -> Option<Cost> {
    // cheapest[i]: for the first i characters.
    let mut cheapest: Vec<Option<Cost>> = vec![None; text.len() + 1];
    cheapest[0] = Some((0, 0));
    for start in 0..text.len() {
        let Some((words, singles)) = cheapest[start] else {
            continue;
        };
        let longest = text.len().min(start + LONGEST_PIECE);
        for end in start + 1..=longest {
            let piece = &text[start..end];
            let cost = if !plain && is_free(piece) {
                (words, singles)
            } else if readings(piece).iter().any(|word| is_word(word)) {
                (words + 1, singles)
            } else if piece.len() == 1 && !piece[0].is_alphabetic() {
                (words, singles + 1)
            } else {
                continue;
            };
            cheapest[end] = Some(cheapest[end].map_or(cost, |best| best.min(cost)));
        }
    }
    cheapest[text.len()]
}

fn is_free(piece: &[char]) -> bool {
    is_step(piece) || (piece.len() >= SHORTEST_RUN && piece.iter().all(|c| *c == piece[0]))
}

fn is_step(piece: &[char]) -> bool {
    piece.len() >= SHORTEST_STEP
        && STEPS
            .iter()
            .any(|track| track.windows(piece.len()).any(|window| window == piece))
}

/// Whether digits are nothing but steps, runs and years.
fn is_walk(text: &[char]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for start in 0..text.len() {
        if !reached[start] {
            continue;
        }
        for end in start + SHORTEST_RUN..=text.len() {
            let piece = &text[start..end];
            let is_year = piece.len() == 4 && matches!(piece, ['1', '9', ..] | ['2', '0', ..]);
            reached[end] |= is_year || is_free(piece);
        }
    }
    reached[text.len()]
}
