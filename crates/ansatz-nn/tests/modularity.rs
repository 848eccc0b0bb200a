//! Leiden's partitions beside known optima, all partitions of small graphs, and what the method guarantees.

#![expect(clippy::unwrap_used, reason = "a test may stop at any failure")]

use ansatz_core::Key;
use ansatz_nn::{
    InteractionWeight, Leiden, NetworkError, Stage, interaction_bases, interaction_edges,
    modularity,
};

type Edges = Vec<(usize, usize, f64)>;

/// W. W. Zachary, *An information flow model for conflict and fission in small groups*, 1977: 34 members, 78 friendships.
const KARATE: [(usize, usize); 78] = [
    (0, 1),
    (0, 2),
    (0, 3),
    (0, 4),
    (0, 5),
    (0, 6),
    (0, 7),
    (0, 8),
    (0, 10),
    (0, 11),
    (0, 12),
    (0, 13),
    (0, 17),
    (0, 19),
    (0, 21),
    (0, 31),
    (1, 2),
    (1, 3),
    (1, 7),
    (1, 13),
    (1, 17),
    (1, 19),
    (1, 21),
    (1, 30),
    (2, 3),
    (2, 7),
    (2, 8),
    (2, 9),
    (2, 13),
    (2, 27),
    (2, 28),
    (2, 32),
    (3, 7),
    (3, 12),
    (3, 13),
    (4, 6),
    (4, 10),
    (5, 6),
    (5, 10),
    (5, 16),
    (6, 16),
    (8, 30),
    (8, 32),
    (8, 33),
    (9, 33),
    (13, 33),
    (14, 32),
    (14, 33),
    (15, 32),
    (15, 33),
    (18, 32),
    (18, 33),
    (19, 33),
    (20, 32),
    (20, 33),
    (22, 32),
    (22, 33),
    (23, 25),
    (23, 27),
    (23, 29),
    (23, 32),
    (23, 33),
    (24, 25),
    (24, 27),
    (24, 31),
    (25, 31),
    (26, 29),
    (26, 33),
    (27, 33),
    (28, 31),
    (28, 33),
    (29, 32),
    (29, 33),
    (30, 32),
    (30, 33),
    (31, 32),
    (31, 33),
    (32, 33),
];

fn karate() -> Edges {
    KARATE.iter().map(|(a, b)| (*a, *b, 1.0)).collect()
}

/// The optimum is known: 0.4197896, in four communities (U. Brandes et al., *On modularity clustering*, 2008).
#[test]
fn karate_club() {
    for seed in 0..5 {
        let found = Leiden::default()
            .communities(34, &karate(), Key::new(seed))
            .unwrap();
        assert!(
            (found.quality - 0.419_789_61).abs() < 5e-9,
            "{seed}: {}",
            found.quality
        );
        assert_eq!(found.count, 4);
        let q = modularity(34, &karate(), &found.of, 1.0).unwrap();
        assert!((q - found.quality).abs() < 1e-15);
    }
    // The split that happened, as Zachary reports it, has Q = 0.3715 (Newman and Girvan 2004 give 0.371 for it).
    let club: Vec<usize> = (0..34)
        .map(|v| usize::from([8, 9, 14, 15, 18].contains(&v) || (20..=33).contains(&v) && v != 21))
        .collect();
    let q = modularity(34, &karate(), &club, 1.0).unwrap();
    assert!((q - 0.371).abs() < 1e-3, "{q}");
}

/// The sum over all pairs as it is defined.
fn by_pairs(nodes: usize, edges: &Edges, of: &[usize], resolution: f64) -> f64 {
    let mut a = vec![vec![0.0; nodes]; nodes];
    for (i, j, w) in edges {
        a[*i][*j] += w;
        a[*j][*i] += w;
    }
    let k: Vec<f64> = a.iter().map(|row| row.iter().sum()).collect();
    let total: f64 = k.iter().sum();
    let mut q = 0.0;
    for i in 0..nodes {
        for j in 0..nodes {
            if of[i] == of[j] {
                q += (a[i][j] - resolution * k[i] * k[j] / total) / total;
            }
        }
    }
    q
}

/// The best of all partitions: each node in one of the communities before it or a new one.
fn best_of_all(nodes: usize, edges: &Edges, resolution: f64) -> f64 {
    fn go(of: &mut Vec<usize>, count: usize, nodes: usize, value: &dyn Fn(&[usize]) -> f64) -> f64 {
        if of.len() == nodes {
            return value(of);
        }
        let mut best = f64::MIN;
        for c in 0..=count {
            of.push(c);
            best = best.max(go(of, count.max(c + 1), nodes, value));
            of.pop();
        }
        best
    }
    let value = |of: &[usize]| modularity(nodes, edges, of, resolution).unwrap();
    go(&mut Vec::new(), 0, nodes, &value)
}

/// A graph of `nodes` nodes with weights drawn by a key.
fn random(nodes: usize, share: f64, key: Key) -> Edges {
    let mut edges = Vec::new();
    for a in 0..nodes {
        for b in 0..a {
            let [u, w] = key.uniform(0, (a * nodes + b) as u64);
            if u < share {
                edges.push((a, b, 0.1 + w));
            }
        }
    }
    edges
}

#[test]
fn small_graphs_to_the_optimum() {
    let mut draws = 0;
    for nodes in 4..=8 {
        for seed in 0..6 {
            let edges = random(nodes, 0.5, Key::new(seed).fold_in(nodes as u64));
            if edges.is_empty() {
                continue;
            }
            let resolution = [1.0, 0.6, 1.7][seed as usize % 3];
            let leiden = Leiden {
                resolution,
                ..Leiden::default()
            };
            let found = leiden.communities(nodes, &edges, Key::new(seed)).unwrap();
            let pairs = by_pairs(nodes, &edges, &found.of, resolution);
            assert!((pairs - found.quality).abs() < 1e-14);
            let best = best_of_all(nodes, &edges, resolution);
            assert!(
                (found.quality - best).abs() < 1e-12,
                "{nodes}, {seed}: {} of {best}",
                found.quality
            );
            draws += 1;
        }
    }
    assert!(draws > 20);
}

/// Cliques in a ring: above some size they are the communities. Every community is connected, and none gains by a move.
#[test]
fn what_is_guaranteed() {
    let (cliques, size) = (20, 5);
    let mut edges = Edges::new();
    for c in 0..cliques {
        for a in 0..size {
            edges.extend((0..a).map(|b| (c * size + a, c * size + b, 2.0)));
        }
        edges.push((c * size, (c + 1) % cliques * size + 1, 1.0));
    }
    let leiden = Leiden {
        resolution: 2.0,
        ..Leiden::default()
    };
    let found = leiden.communities(100, &edges, Key::new(3)).unwrap();
    assert_eq!(found.of, (0..100).map(|v| v / size).collect::<Vec<_>>());

    let edges = random(200, 0.03, Key::new(8));
    let found = Leiden::default()
        .communities(200, &edges, Key::new(1))
        .unwrap();
    assert!(found.quality > 0.3, "{}", found.quality);
    for c in 0..found.count {
        let members: Vec<usize> = (0..200).filter(|v| found.of[*v] == c).collect();
        let mut reached = vec![members[0]];
        let mut next = 0;
        while next < reached.len() {
            for (a, b, _) in &edges {
                for (a, b) in [(*a, *b), (*b, *a)] {
                    if a == reached[next] && found.of[b] == c && !reached.contains(&b) {
                        reached.push(b);
                    }
                }
            }
            next += 1;
        }
        assert_eq!(reached.len(), members.len(), "community {c} is connected");
    }
    for v in 0..200 {
        for c in 0..=found.count {
            let mut moved = found.of.clone();
            moved[v] = c;
            let q = modularity(200, &edges, &moved, 1.0).unwrap();
            assert!(q <= found.quality + 1e-12, "node {v} gains in {c}");
        }
    }
    let again = Leiden::default()
        .communities(200, &edges, Key::new(1))
        .unwrap();
    assert_eq!(found, again);
}

/// Scale of the weights does not matter; nodes without edges stay alone.
#[test]
fn scale_and_lonely_nodes() {
    let edges = random(40, 0.1, Key::new(2));
    let large: Edges = edges.iter().map(|(a, b, w)| (*a, *b, w * 1024.0)).collect();
    let one = Leiden::default()
        .communities(42, &edges, Key::new(0))
        .unwrap();
    let other = Leiden::default()
        .communities(42, &large, Key::new(0))
        .unwrap();
    assert_eq!(one.of, other.of);
    assert!((one.quality - other.quality).abs() < 1e-14);
    let alone = |v: usize| one.of.iter().filter(|c| **c == one.of[v]).count() == 1;
    assert!(alone(40) && alone(41));
    let none = Leiden::default().communities(3, &[], Key::new(0)).unwrap();
    assert_eq!((none.of, none.quality), (vec![0, 1, 2], 0.0));
}

/// Two networks side by side that share nothing: two communities.
#[test]
fn interactions_of_two_networks() {
    // y₁ = 2x₁ + x₂ and y₂ likewise of x₃, x₄, three points; the last coordinate of the input is an offset.
    let points: Vec<[f64; 5]> = (0..12)
        .map(|i| {
            let s = |w: f64| (w * f64::from(i)).sin();
            [s(1.0), s(2.3), s(0.7), s(3.1), 1.0]
        })
        .collect();
    let w = [[2.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0, 0.5]];
    let input = Stage {
        width: 5,
        activations: points.iter().flatten().copied().collect(),
        jacobians: points
            .iter()
            .flat_map(|_| w.iter().flatten().copied())
            .collect(),
    };
    let output = Stage {
        width: 2,
        activations: points
            .iter()
            .flat_map(|x| w.map(|w| w.iter().zip(x).map(|(a, b)| a * b).sum()))
            .collect(),
        jacobians: Vec::new(),
    };
    let bases = interaction_bases(&[input.clone(), output], 1e-10).unwrap();
    // A linear network: one interaction a direction, all 1.
    let weight = InteractionWeight::Logarithm { epsilon: 1e-3 };
    let (nodes, edges) = interaction_edges(&bases, weight, &[]).unwrap();
    assert_eq!(nodes, 4);
    assert_eq!(edges.len(), 2);
    assert!(edges.iter().all(|e| (e.2 - 3.0).abs() < 1e-9));
    let found = Leiden::default()
        .communities(nodes, &edges, Key::new(0))
        .unwrap();
    assert_eq!(found.of, [0, 1, 0, 1]);
    assert!((found.quality - 0.5).abs() < 1e-12);
    for (weight, power) in [
        (InteractionWeight::Identity, 1.0),
        (InteractionWeight::SquareRoot, 0.5),
    ] {
        let mut bases = bases.clone();
        bases[0].edges *= faer::Scale(9.0);
        let (_, edges) = interaction_edges(&bases, weight, &[]).unwrap();
        let largest = edges.iter().map(|e| e.2).fold(0.0, f64::max);
        assert!((largest - 9.0_f64.powf(power)).abs() < 1e-8);
    }
    // Directions that are named constant have no edge.
    let (_, edges) = interaction_edges(&bases, weight, &[vec![1]]).unwrap();
    assert_eq!(edges.len(), 1);
    assert!(bases[0].constant_directions(&input).unwrap().is_empty());
    // A basis whose second direction is the offset.
    let mut turned = bases[0].clone();
    for i in 0..5 {
        turned.to[(i, 1)] = f64::from(u8::from(i == 4));
    }
    assert_eq!(turned.constant_directions(&input).unwrap(), [1]);
    let refused = interaction_edges(&bases, InteractionWeight::Logarithm { epsilon: 0.0 }, &[]);
    assert!(matches!(
        refused,
        Err(NetworkError::Option {
            name: "epsilon",
            ..
        })
    ));
}

#[test]
fn what_cannot_be_is_refused() {
    let leiden = Leiden::default();
    let key = Key::new(0);
    for edges in [
        vec![(0, 3, 1.0)],
        vec![(1, 1, 1.0)],
        vec![(0, 1, 1.0), (1, 0, 1.0)],
        vec![(0, 1, -1.0)],
        vec![(0, 1, f64::NAN)],
    ] {
        let refused = leiden.communities(3, &edges, key);
        assert!(
            matches!(refused, Err(NetworkError::Edge { .. })),
            "{edges:?}"
        );
    }
    for leiden in [
        Leiden {
            resolution: f64::NAN,
            ..leiden
        },
        Leiden {
            resolution: -1.0,
            ..leiden
        },
        Leiden {
            randomness: 0.0,
            ..leiden
        },
        Leiden { runs: 0, ..leiden },
        Leiden {
            rounds: 0,
            ..leiden
        },
    ] {
        let refused = leiden.communities(3, &[(0, 1, 1.0)], key);
        assert!(
            matches!(refused, Err(NetworkError::Option { .. })),
            "{leiden:?}"
        );
    }
    assert!(matches!(
        modularity(3, &[(0, 1, 1.0)], &[0, 1], 1.0),
        Err(NetworkError::Size { .. })
    ));
}

/// As good as the best of 200 runs of leidenalg on a weighted graph, at four resolutions.
#[test]
fn beside_leidenalg() {
    let mut edges = Edges::new();
    for a in 0..60_usize {
        for b in 0..a {
            let v = (1.7 * ((a + 1) * (b + 1)) as f64).sin().abs();
            let same = a % 5 == b % 5;
            if v > if same { 0.6 } else { 0.93 } {
                edges.push((a, b, if same { 2.0 * v } else { v }));
            }
        }
    }
    for line in include_str!("fixtures/leiden.txt").lines() {
        let known: Vec<f64> = line.split(' ').map(|v| v.parse().unwrap()).collect();
        let leiden = Leiden {
            resolution: known[0],
            ..Leiden::default()
        };
        let found = leiden.communities(60, &edges, Key::new(4)).unwrap();
        assert!(
            (found.quality - known[1]).abs() < 1e-12 && found.count == known[2] as usize,
            "{line}: {} in {}",
            found.quality,
            found.count
        );
    }
}
