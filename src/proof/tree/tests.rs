//! The tree by the definitions of RFC 9162, and against ct-merkle, another author's.

use super::*;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2_of_others::Sha256 as TheirSha256;

type Theirs = MemoryBackedTree<TheirSha256, Vec<u8>>;

fn entry(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

fn leaves(n: u64) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(&entry(i))).collect()
}

fn theirs(n: u64) -> Theirs {
    let mut tree = Theirs::new();
    (0..n).for_each(|i| tree.push(entry(i)));
    tree
}

/// RFC 9162, 2.1.1, word for word.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            node_hash(&mth(left), &mth(right))
        }
    }
}

const SIZES: [u64; 14] = [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 64, 100, 255, 257];

#[test]
fn known_answers_of_rfc_6962() {
    let hex = super::super::hex;
    assert_eq!(
        hex(&empty_root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(
        hex(&leaf_hash(b"")),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
}

#[test]
fn roots_are_those_of_the_definition_and_of_another_author() {
    assert_eq!(CompactRange::new().root(), empty_root());
    for n in (1..=300).chain([511, 512, 513, 1000]) {
        let leaves = leaves(n);
        let mut range = CompactRange::new();
        leaves.iter().for_each(|leaf| range.push(*leaf));
        assert_eq!((range.size(), range.root()), (n, mth(&leaves)));
        let root = theirs(n).root();
        assert_eq!(root.as_bytes().as_slice(), range.root(), "{n}");
        let peaks = perfect_subtrees((0, n));
        let hashes = peaks.iter().map(|s| {
            let width = 1 << s.level;
            mth(slice(&leaves, (s.index * width, (s.index + 1) * width)))
        });
        assert_eq!(CompactRange::resume(n, hashes.collect()).unwrap(), range);
    }
}

#[test]
fn inclusion_proofs_are_those_of_another_author() {
    for n in SIZES {
        let (leaves, theirs) = (leaves(n), theirs(n));
        let root = root(&leaves);
        for index in 0..n {
            let proof = inclusion_proof(&leaves, index).unwrap();
            let their_proof = theirs.prove_inclusion(index as usize);
            assert_eq!(proof.concat(), their_proof.as_bytes(), "{index} of {n}");
            verify_inclusion(&leaves[index as usize], index, n, &proof, &root).unwrap();
            let bytes = InclusionProof::<TheirSha256>::try_from_bytes(proof.concat()).unwrap();
            let their_root = RootHash::<TheirSha256>::new(root.into(), n);
            their_root
                .verify_inclusion(&entry(index), index, &bytes)
                .unwrap();
        }
    }
}

#[test]
fn consistency_proofs_are_those_of_another_author() {
    for n in SIZES {
        let (leaves, theirs) = (leaves(n), theirs(n));
        let root = root(&leaves);
        for old in 1..n {
            let old_root = super::root(&leaves[..old as usize]);
            let proof = consistency_proof(&leaves, old).unwrap();
            let their_proof = theirs.prove_consistency((n - old) as usize);
            assert_eq!(proof.concat(), their_proof.as_bytes(), "{old} of {n}");
            verify_consistency(old, n, &proof, &old_root, &root).unwrap();
            let bytes = ConsistencyProof::<TheirSha256>::try_from_bytes(proof.concat()).unwrap();
            RootHash::<TheirSha256>::new(root.into(), n)
                .verify_consistency(&RootHash::new(old_root.into(), old), &bytes)
                .unwrap();
        }
        verify_consistency(n, n, &[], &root, &root).unwrap();
        assert_eq!(
            verify_consistency(n, n, &[], &empty_root(), &root),
            Err(ProofError::Root)
        );
    }
}

#[test]
fn whatever_is_changed_in_a_proof_is_found() {
    let n = 100;
    let leaves = leaves(n);
    let root = root(&leaves);
    let (index, old) = (37, 41);
    let old_root = super::root(&leaves[..old as usize]);
    let inclusion = inclusion_proof(&leaves, index).unwrap();
    let consistency = consistency_proof(&leaves, old).unwrap();
    let leaf = leaves[index as usize];
    for i in 0..inclusion.len() {
        let mut bad = inclusion.clone();
        bad[i][0] ^= 1;
        assert_eq!(
            verify_inclusion(&leaf, index, n, &bad, &root),
            Err(ProofError::Root)
        );
    }
    for i in 0..consistency.len() {
        let mut bad = consistency.clone();
        bad[i][31] ^= 1;
        let verified = verify_consistency(old, n, &bad, &old_root, &root);
        assert_eq!(verified, Err(ProofError::Root));
    }
    let longer = [inclusion.clone(), vec![[0; 32]]].concat();
    let shorter = &inclusion[1..];
    for bad in [&longer[..], shorter, &[]] {
        let verified = verify_inclusion(&leaf, index, n, bad, &root);
        assert!(matches!(verified, Err(ProofError::Length { .. })));
    }
    assert!(verify_inclusion(&leaf, index + 1, n, &inclusion, &root).is_err());
    assert!(verify_inclusion(&leaf, n, n, &inclusion, &root).is_err());
    assert!(verify_consistency(old, n, &consistency, &root, &root).is_err());
    assert!(verify_consistency(old, n, &consistency, &old_root, &old_root).is_err());
    assert_eq!(
        verify_consistency(0, n, &[], &empty_root(), &root),
        Err(ProofError::NotGrowing { old: 0, new: n })
    );
    assert!(matches!(
        consistency_path(n + 1, n),
        Err(ProofError::NotGrowing { .. })
    ));
}
