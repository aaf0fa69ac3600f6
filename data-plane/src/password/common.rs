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

/// Whether the whole password is on the list.
pub(super) fn is_common(password: &str) -> bool {
    let phrase = password.trim().contains(char::is_whitespace);
    spellings(password).iter().any(|text| {
        let text = without_repetition(text);
        if text.len() < SHORTEST_STEP {
            return true;
        }
        let words = fewest_words(&text, &|word| LIST.contains(word), phrase);
        // A walk with a space in it is somebody's acrostic; digits alone are judged as walks only.
        match words {
            Some(0) => !phrase && (text.iter().any(|c| c.is_alphabetic()) || is_walk(&text)),
            Some(count) => count <= MOST_WORDS,
            None => false,
        }
    })
}

/// Whether the whole password is made of `context` words, with common words and decoration at most.
pub(super) fn is_made_of(password: &str, context: &[String]) -> bool {
    let context: BTreeSet<Vec<char>> = context.iter().map(|word| word.chars().collect()).collect();
    spellings(password).iter().any(|text| {
        let common = |word: &[char]| LIST.contains(word);
        let either = |word: &[char]| common(word) || context.contains(word);
        let text = without_repetition(text);
        let explained = fewest_words(&text, &either, true);
        let without_context = fewest_words(&text, &common, true);
        without_context.is_none() && explained.is_some_and(|count| count <= MOST_CONTEXT_WORDS)
    })
}

/// The letters of `value` in lower case: the form in which words are compared.
pub(super) fn letters(value: &str) -> String {
    value
        .chars()
        .filter(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The password without punctuation and spaces in lower case, as typed and with digits read as letters.
fn spellings(password: &str) -> [Vec<char>; 3] {
    let spell = |one: char| -> Vec<char> {
        password
            .chars()
            .flat_map(char::to_lowercase)
            .map(|c| if one == '\0' { c } else { read_as_letter(c, one) })
            .filter(|c| c.is_alphanumeric())
            .collect()
    };
    [spell('\0'), spell('l'), spell('i')]
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

/// The fewest words that explain all of `text`, if words, steps, runs and digits do explain it.
///
/// `plain` leaves out keyboard steps: then every letter must belong to a word.
fn fewest_words(text: &[char], is_word: &dyn Fn(&[char]) -> bool, plain: bool) -> Option<usize> {
    // fewest[i]: for the first i characters.
    let mut fewest: Vec<Option<usize>> = vec![None; text.len() + 1];
    fewest[0] = Some(0);
    for start in 0..text.len() {
        let Some(so_far) = fewest[start] else {
            continue;
        };
        for end in start + 1..=text.len() {
            let piece = &text[start..end];
            let free = (piece.len() == 1 && piece[0].is_numeric()) || (!plain && is_free(piece));
            let cost = match free {
                true => so_far,
                false if is_word(piece) => so_far + 1,
                false => continue,
            };
            fewest[end] = Some(fewest[end].map_or(cost, |best| best.min(cost)));
        }
    }
    fewest[text.len()]
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
