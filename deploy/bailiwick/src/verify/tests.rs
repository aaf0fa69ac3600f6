//! A true receipt verifies, and no altered one does.

use contract::{
    containment::Subject,
    ids::{ContainmentId, NodeId, TenantId, TypedId},
    jws::ReleaseSigner,
    receipt::{FORMAT, Figures, Residual},
};
use host::{Entropy, statement::StatementKey};

use super::*;

struct Story {
    signer: ReleaseSigner,
    key: StatementKey,
    receipt: Receipt,
}

fn trust(signer: &ReleaseSigner) -> TrustRoot {
    TrustRoot {
        keys: vec![signer.public()],
    }
}

fn shown(key: &StatementKey) -> PublicJwk {
    let (x, y) = key.public().coordinates();
    let jwk = serde_json::json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    serde_json::from_value(jwk).unwrap()
}

impl Story {
    fn new() -> Self {
        let entropy = Entropy::seeded(1);
        let now = DateTime::UNIX_EPOCH;
        let signer = ReleaseSigner::from_secret(&[1; 32]);
        let key = StatementKey::generate().unwrap();
        let containment = Containment {
            id: ContainmentId::from_uuid(entropy.uuid_v7(now)),
            revision: 1,
            sequence: 1,
            tenant: TenantId::from_uuid(entropy.uuid_v7(now)),
            region: "eu".parse().unwrap(),
            subject: Subject::Tenant {},
            ends_existing: false,
            begun_at: now,
            until: now + TimeDelta::hours(1),
            lifted_at: None,
        };
        let document = containment.sign(&signer).unwrap();
        let said = Confirmation {
            node: NodeId::from_uuid(entropy.uuid_v7(now)),
            containment: containment.id,
            revision: 1,
            document: ContentHash::of(document.as_bytes()),
            heard_at: now,
            applied_at: now,
            probe: Probe::Refused {
                at: now,
                requests: 1,
            },
        };
        let receipt = Receipt {
            format: FORMAT,
            document,
            reason: "stolen laptop".into(),
            actor: "opr_1".into(),
            accepted_at: now,
            made_at: now,
            impact: None,
            nodes: Vec::new(),
            figures: Figures::default(),
            residual: Residual {
                tokens_until: None,
                silent_until: None,
                silent: 0,
            },
            authorities: Vec::new(),
        };
        let mut story = Self {
            signer,
            key,
            receipt,
        };
        story.says(&said);
        story
    }

    fn said(&self) -> Confirmation {
        let NodeOutcome::Confirmed { statement, .. } = &self.receipt.nodes[0].outcome else {
            panic!("it confirmed");
        };
        let payload = statement::verify(CONFIRMATION_TYPE, statement, &self.key.public());
        serde_json::from_slice(&payload.unwrap()).unwrap()
    }

    /// Has the one node say this.
    fn says(&mut self, said: &Confirmation) {
        let payload = serde_json::to_vec(said).unwrap();
        let node = self
            .receipt
            .nodes
            .first()
            .map_or(said.node, |line| line.node);
        self.receipt.nodes = vec![NodeLine {
            node,
            name: "eu-1".parse().unwrap(),
            outcome: NodeOutcome::Confirmed {
                after_us: 3_150,
                statement: self.key.sign(CONFIRMATION_TYPE, &payload).unwrap(),
                proof: Proof::SameProcess {
                    key: shown(&self.key),
                },
            },
        }];
        self.receipt.figures = Figures::of(&self.receipt.nodes);
    }

    fn verdict(&self) -> Result<Verified, NotValid> {
        let jws = self.receipt.sign(&self.signer).unwrap();
        verify(&jws, &trust(&self.signer))
    }

    fn refusal(&self) -> String {
        self.verdict().unwrap_err().to_string()
    }
}

#[test]
fn a_receipt_that_holds_is_told_in_words_r_rev_04() {
    let text = Story::new().verdict().unwrap().to_string();
    for part in [
        "VALID: receipt of containment cnt_",
        "stolen laptop",
        "on 1 of 1 nodes: first 3.1 ms, p50 3.1 ms, p99 3.1 ms, slowest 3.1 ms",
        "eu-1  confirmed after 3.1 ms; its door refused a canary, at request 1",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn any_byte_changed_spoils_it_r_rev_04() {
    let story = Story::new();
    let jws = story.receipt.sign(&story.signer).unwrap();
    for position in (0..jws.len()).step_by(53) {
        let mut bytes = jws.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(
            verify(&changed, &trust(&story.signer)).is_err(),
            "{position}"
        );
    }
    let stranger = ReleaseSigner::from_secret(&[2; 32]);
    assert!(verify(&jws, &trust(&stranger)).is_err());
}

/// A control plane that lies about what its nodes said is found out, though its own signature holds.
#[test]
fn a_node_speaks_for_itself_about_this_document_only() {
    let id = |number| {
        contract::ids::NodeId::from_uuid(Entropy::seeded(number).uuid_v7(DateTime::UNIX_EPOCH))
    };
    for (change, complaint) in [
        (
            (|said: &mut Confirmation, node| said.node = node) as fn(&mut Confirmation, NodeId),
            "another node",
        ),
        (|said, _| said.revision = 2, "another containment"),
        (
            |said, _| said.document = ContentHash::of(b"else"),
            "another document",
        ),
    ] {
        let mut story = Story::new();
        let mut said = story.said();
        change(&mut said, id(9));
        story.says(&said);
        assert!(story.refusal().contains(complaint), "{complaint}");
    }
    let mut story = Story::new();
    let said = story.said();
    let shown_before = shown(&story.key);
    story.key = StatementKey::generate().unwrap();
    story.says(&said);
    if let NodeOutcome::Confirmed { proof, .. } = &mut story.receipt.nodes[0].outcome {
        *proof = Proof::SameProcess { key: shown_before };
    }
    assert!(story.refusal().contains("signature does not match"));
}

#[test]
fn a_certificate_that_nobody_vouches_for_proves_nothing() {
    let mut story = Story::new();
    let certificate = contract::enrolment::Der::new(vec![0x30, 0x00]).unwrap();
    if let NodeOutcome::Confirmed { proof, .. } = &mut story.receipt.nodes[0].outcome {
        *proof = Proof::Certificate { certificate };
    }
    assert!(story.refusal().contains("not vouched for"));
}
