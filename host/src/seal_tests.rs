//! What must open, what must not, and why not.

use std::os::unix::fs::PermissionsExt;

use super::*;

const PLACE: SealContext<'static> = SealContext {
    tenant: "ten_a",
    table: "users",
    column: "email",
    row: "usr_1",
};

fn key() -> SealKey {
    Kek::from_bytes([7; 32]).key("test")
}

#[test]
fn a_value_opens_where_it_was_sealed() {
    let entropy = Entropy::seeded(1);
    for plaintext in [&b""[..], b"x", &[0xff; 4096]] {
        let sealed = key().seal(&entropy, &PLACE, plaintext);
        assert_eq!(key().open(&PLACE, &sealed).unwrap().as_slice(), plaintext);
        assert_ne!(
            sealed,
            key().seal(&entropy, &PLACE, plaintext),
            "nonces differ"
        );
    }
}

#[test]
fn a_value_moved_elsewhere_does_not_open() {
    let sealed = key().seal(&Entropy::seeded(1), &PLACE, b"someone@example.com");
    let elsewhere = [
        SealContext {
            tenant: "ten_b",
            ..PLACE
        },
        SealContext {
            table: "admins",
            ..PLACE
        },
        SealContext {
            column: "phone",
            ..PLACE
        },
        SealContext {
            row: "usr_2",
            ..PLACE
        },
        // The same letters with the borders moved.
        SealContext {
            table: "userse",
            column: "mail",
            ..PLACE
        },
    ];
    for context in elsewhere {
        assert_eq!(
            key().open(&context, &sealed).unwrap_err(),
            OpenError::Tampered,
            "{context:?}"
        );
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let sealed = key().seal(&Entropy::seeded(1), &PLACE, b"secret");
    for position in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[position] ^= 1 << bit;
            assert!(
                key().open(&PLACE, &changed).is_err(),
                "byte {position} bit {bit}"
            );
        }
    }
}

#[test]
fn every_cut_is_noticed() {
    let sealed = key().seal(&Entropy::seeded(1), &PLACE, b"secret");
    for length in 0..sealed.len() {
        let error = key().open(&PLACE, &sealed[..length]).unwrap_err();
        assert!(
            matches!(error, OpenError::TooShort | OpenError::Tampered),
            "{length}: {error}"
        );
    }
}

#[test]
fn the_reason_is_precise() {
    let mut sealed = key().seal(&Entropy::seeded(1), &PLACE, b"secret");
    let other = Kek::from_bytes([7; 32]).key("another purpose");
    assert_eq!(
        other.open(&PLACE, &sealed).unwrap_err(),
        OpenError::WrongKey {
            sealed_under: key().id(),
            at_hand: other.id()
        }
    );
    sealed[0] = 2;
    assert_eq!(
        key().open(&PLACE, &sealed).unwrap_err(),
        OpenError::UnknownFormat(2)
    );
}

#[test]
fn a_wrapped_key_opens_what_the_key_sealed() {
    let entropy = Entropy::seeded(3);
    let data_key = SealKey::generate(&entropy);
    let sealed = data_key.seal(&entropy, &PLACE, b"row");
    let wrapped = key().wrap(&entropy, &PLACE, &data_key);
    let unwrapped = key().unwrap_key(&PLACE, &wrapped).unwrap();
    assert_eq!(unwrapped.id(), data_key.id());
    assert_eq!(unwrapped.open(&PLACE, &sealed).unwrap().as_slice(), b"row");
    let no_key = key().seal(&entropy, &PLACE, b"short");
    assert_eq!(
        key().unwrap_key(&PLACE, &no_key).unwrap_err(),
        OpenError::Tampered
    );
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?} {:?}", Kek::from_bytes([0xab; 32]), key());
    assert_eq!(shown, format!("Kek(***) SealKey({})", key().id()));
}

#[test]
fn a_key_file_is_made_once_private_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kek");
    assert!(matches!(Kek::load(&path), Err(KekError::Missing { .. })));
    let made = Kek::load_or_create(&path, &Entropy::seeded(1)).unwrap();
    let again = Kek::load_or_create(&path, &Entropy::seeded(2)).unwrap();
    assert_eq!(made.key("x").id(), again.key("x").id());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}

#[test]
fn an_exposed_or_misshapen_key_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kek");
    let cases: [(u32, usize, &str); 5] = [
        (0o644, 32, "open to other users (mode 0644)"),
        (0o620, 32, "open to other users (mode 0620)"),
        (0o600, 31, "has 31 bytes; a key has 32"),
        (0o600, 33, "has 33 bytes; a key has 32"),
        (0o600, 0, "has 0 bytes; a key has 32"),
    ];
    for (mode, length, says) in cases {
        std::fs::write(&path, vec![1; length]).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let error = Kek::load_or_create(&path, &Entropy::seeded(1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(
            std::fs::read(&path).unwrap(),
            vec![1; length],
            "left as found"
        );
    }
    for unusable in [dir.path().join("no/such/kek"), dir.path().to_path_buf()] {
        let error = Kek::load_or_create(&unusable, &Entropy::seeded(1));
        assert!(matches!(error, Err(KekError::Unusable { .. })), "{error:?}");
    }
}
