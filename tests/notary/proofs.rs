//! Proofs out of the database, checked by our verifier and by ct-merkle, another author's.

use crate::scene::Scene;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use kmrl_gateway::notary::TreeError;
use kmrl_gateway::proof::tree::{self, ProofError};
use kmrl_gateway::proof::{Hash, tree::verify_inclusion};
use sha2_of_others::Sha256;

const SIZES: [usize; 11] = [1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 700];

fn their_root(root: Hash, size: usize) -> RootHash<Sha256> {
    RootHash::new(root.into(), size as u64)
}

#[tokio::test]
async fn proofs_hold_over_many_sizes() {
    let scene = Scene::with(&[200, 700]).await;
    let entries = scene.tree.entries(0, 700, 1000).await.unwrap();
    let leaves: Vec<Hash> = entries.iter().map(|e| e.entry.leaf()).collect();
    for size in SIZES {
        let root = scene.tree.root(size as i64).await.unwrap();
        assert_eq!(root, tree::root(&leaves[..size]));
        for index in [0, 1, size / 3, size / 2, size.saturating_sub(2), size - 1] {
            if index >= size {
                continue;
            }
            let position = index as i64 + 1;
            let proof = scene.tree.inclusion(position, size as i64).await.unwrap();
            let leaf = scene.tree.leaf(position).await.unwrap();
            verify_inclusion(&leaf, index as u64, size as u64, &proof, &root).unwrap();
            let theirs = InclusionProof::<Sha256>::try_from_bytes(proof.concat()).unwrap();
            let text = entries[index].entry.text();
            their_root(root, size)
                .verify_inclusion(&text, index as u64, &theirs)
                .unwrap();
        }
        for old in SIZES.into_iter().filter(|old| *old < size) {
            let proof = scene
                .tree
                .consistency(old as i64, size as i64)
                .await
                .unwrap();
            let old_root = tree::root(&leaves[..old]);
            tree::verify_consistency(old as u64, size as u64, &proof, &old_root, &root).unwrap();
            let theirs = ConsistencyProof::<Sha256>::try_from_bytes(proof.concat()).unwrap();
            their_root(root, size)
                .verify_consistency(&their_root(old_root, old), &theirs)
                .unwrap();
        }
    }
}

#[tokio::test]
async fn what_cannot_be_proven_is_refused() {
    let scene = Scene::with(&[10]).await;
    scene.append(5).await;
    for size in [-1, 0, 11, 15, i64::MAX] {
        let refused = scene.tree.inclusion(1, size).await;
        assert!(
            matches!(refused, Err(TreeError::NoSuchSize { newest: 10, .. })),
            "{refused:?}"
        );
    }
    for position in [-1, 0, 11, i64::MAX] {
        let refused = scene.tree.inclusion(position, 10).await;
        let expected = matches!(
            refused,
            Err(TreeError::Proof(ProofError::NoSuchIndex { .. }))
        );
        assert!(expected, "{refused:?}");
    }
    for (old, new) in [(7, 6), (0, 6), (-1, 6)] {
        let refused = scene.tree.consistency(old, new).await;
        let expected = matches!(
            refused,
            Err(TreeError::Proof(ProofError::NotGrowing { .. }))
        );
        assert!(expected, "{refused:?}");
    }
    // A node that is missing is no wrong proof.
    let scene = Scene::with(&[300]).await;
    scene.attack("DELETE FROM log_nodes").await;
    let refused = scene.tree.inclusion(299, 300).await;
    assert!(
        matches!(refused, Err(TreeError::Incomplete { level: 1, .. })),
        "{refused:?}"
    );
}
