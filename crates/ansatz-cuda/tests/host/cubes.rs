//! Crossings and triangles of level sets against plain loops, bit for bit, for any table.

use ansatz_core::Key;
use ansatz_cuda::DeviceScalar;
use ansatz_cuda::kernel::crossings::{
    cell_words, cells as cells_in, edges, plan_count, plan_pack, plan_points, plan_signs, points,
    words,
};
use ansatz_cuda::kernel::cubes::{
    Cells, OPEN, Table, plan_cases, plan_emit, plan_fill, plan_open, plan_set, twin,
};
use ansatz_cuda::kernel::{nets, scan};

use crate::harness::{Memory, Plain, Slot};
use crate::{assert_bits, normal};

/// The crossed edges of a case, ascending.
fn crossed(case: usize) -> Vec<u8> {
    (0..12_u8)
        .filter(|edge| {
            let axis = usize::from(edge / 4);
            let others = [[1, 2], [0, 2], [0, 1]][axis];
            let low = usize::from(edge & 1) << others[0] | usize::from(edge >> 1 & 1) << others[1];
            (case >> low ^ case >> (low | 1 << axis)) & 1 == 1
        })
        .collect()
}

/// A table that knows nothing of surfaces: triangles of crossed edges in turn, every seventh case open.
fn table() -> Table {
    let mut table = [[0; 16]; 256];
    for (case, row) in table.iter_mut().enumerate() {
        let crossed = crossed(case);
        if case % 7 == 3 {
            row[0] = OPEN;
        } else if !crossed.is_empty() {
            row[0] = 1 + (case % 5) as u8;
            for (v, entry) in row[1..].iter_mut().enumerate() {
                *entry = crossed[(v * 5 + case) % crossed.len()];
            }
        }
    }
    table
}

/// What the caller makes of an open cell: up to two triangles of its crossings.
fn decide<T>(cell: u32, _: [T; 8], names: [u32; 12]) -> Vec<[u32; 3]> {
    let there: Vec<u32> = names.into_iter().filter(|n| *n != u32::MAX).collect();
    (0..cell % 3)
        .map(|t| [0, 1, 2].map(|v| there[(t + v) as usize % there.len()]))
        .collect()
}

fn check<T: DeviceScalar + Plain>(shape: [usize; 3], samples: &[T], level: f64) {
    let what = format!("{shape:?} {} at {level}", T::KIND);
    let place = [[0.3, -1.0, 2.0], [0.5, 0.25, 1.7]];
    let edges = edges(shape, samples, level);
    let crossed = cells_in(shape, samples, level);
    let mut memory = Memory::default();
    let field = memory.put(samples);
    let signs = memory.put(&vec![u32::MAX; words(shape)]);
    let bad = memory.put(&[0_u64]);
    let firsts = memory.put(&vec![u32::MAX; 3 * words(shape)]);
    let numbers = memory.put(&vec![u32::MAX; cell_words(shape)]);
    let calls = [
        plan_signs(
            shape,
            field.view(),
            level,
            &signs.view_mut(),
            &bad.view_mut(),
        ),
        plan_count(shape, signs.view(), &firsts.view_mut(), &numbers.view_mut()),
    ];
    if !memory.run(&calls.map(|c| c.expect("a plan"))) {
        return;
    }
    assert_eq!(memory.get(bad), [0], "{what}");
    let scanned = |memory: &mut Memory, slot| {
        let mut x = memory.get(slot);
        let total = scan::twin(&mut x) as usize;
        (memory.put(&x), total)
    };
    let (firsts, count) = scanned(&mut memory, firsts);
    let (starts, active) = scanned(&mut memory, numbers);
    assert_eq!((count, active), (edges.len(), crossed.len()), "{what}");
    if active == 0 {
        return;
    }
    let (vertices, list) = (
        memory.put(&vec![T::nan(); 3 * count]),
        memory.put(&vec![u32::MAX; active]),
    );
    let out = vertices.view_mut();
    let calls = [
        plan_points(
            shape,
            field.view(),
            level,
            signs.view(),
            firsts.view(),
            place,
            &out,
        ),
        plan_pack(shape, signs.view(), starts.view(), &list.view_mut()),
    ];
    memory.run(&calls.map(|c| c.expect("a plan")));
    assert_eq!(memory.get(list), crossed, "{what}");
    let wanted = points(shape, samples, level, &edges, place);
    assert_bits(&memory.get(vertices), &wanted, &what);

    dual(
        &mut memory,
        (shape, samples, level),
        [signs, list, firsts, starts],
        &wanted,
    );

    let table = table();
    let rows = memory.put(table.as_flattened());
    let cells = Cells {
        shape,
        signs: signs.view(),
        cells: list.view(),
        table: rows.view(),
    };
    let numbers = memory.put(&vec![u32::MAX; active]);
    let marks = memory.put(&vec![u32::MAX; active]);
    let call = plan_cases(&cells, &numbers.view_mut(), &marks.view_mut());
    memory.run(&[call.expect("a plan")]);
    let (places, open) = scanned(&mut memory, marks);
    let which = memory.put(&vec![u32::MAX; 2 * open]);
    let corners = memory.put(&vec![T::nan(); 8 * open]);
    let names = memory.put(&vec![u32::MAX; 12 * open]);
    let call = plan_open(
        &cells,
        field.view(),
        firsts.view(),
        places.view(),
        &which.view_mut(),
        &corners.view_mut(),
        &names.view_mut(),
    );
    memory.run(&[call.expect("a plan")]);
    // The caller's part, as the twin asks for it.
    let (mut own, mut ends, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    let triangles = twin(
        shape,
        samples,
        level,
        &table,
        |cell, values: [T; 8], names| {
            let made = decide(cell, values, names);
            own.extend(made.iter().flatten().copied());
            ends.push((own.len() / 3) as u32);
            asked.push((cell, values, names));
            made
        },
    );
    assert_eq!(asked.len(), open, "{what}");
    let (which_is, names_are) = (memory.get(which), memory.get(names));
    for (o, (cell, values, wanted)) in asked.iter().enumerate() {
        assert_eq!(which_is[2 * o + 1], *cell, "{what}");
        assert_bits(&memory.get(corners)[8 * o..8 * o + 8], values, &what);
        for (got, want) in names_are[12 * o..][..12].iter().zip(wanted) {
            assert!(*want == u32::MAX || got == want, "{what}: cell {cell}");
        }
    }
    if open > 0 {
        let ends = memory.put(&ends);
        let call = plan_set(which.view(), ends.view(), &numbers.view_mut());
        memory.run(&[call.expect("a plan")]);
        let (places, total) = scanned(&mut memory, numbers);
        assert_eq!(total, triangles.len(), "{what}");
        let (own, out) = (memory.put(&own), memory.put(&vec![u32::MAX; 3 * total]));
        let calls = [
            plan_emit(&cells, firsts.view(), places.view(), &out.view_mut()),
            plan_fill(
                which.view(),
                ends.view(),
                own.view(),
                places.view(),
                &out.view_mut(),
            ),
        ];
        memory.run(&calls.map(|c| c.expect("a plan")));
        assert_eq!(memory.get(out), triangles.as_flattened(), "{what}");
    }
}

/// Means of crossings in an order of their own, and quads.
fn dual<T: DeviceScalar + Plain>(
    memory: &mut Memory,
    (shape, samples, level): ([usize; 3], &[T], f64),
    [signs, cells, firsts, starts]: [Slot<u32>; 4],
    points: &[T],
) {
    let mut order = [[0; 16]; 256];
    for (case, row) in order.iter_mut().enumerate() {
        let mut edges = crossed(case);
        let turn = (case % 5).min(edges.len());
        edges.rotate_left(turn);
        row[0] = edges.len() as u8;
        row[1..=edges.len()].copy_from_slice(&edges);
    }
    let active = cells_in(shape, samples, level).len();
    let (rows, at) = (memory.put(order.as_flattened()), memory.put(points));
    let vertices = memory.put(&vec![T::nan(); 3 * active]);
    let numbers = memory.put(&vec![u32::MAX; active]);
    let of = [signs, cells, firsts].map(Slot::view);
    let calls = [
        nets::plan_means(shape, of, rows.view(), at.view(), &vertices.view_mut()),
        nets::plan_count(shape, [signs, cells].map(Slot::view), &numbers.view_mut()),
    ];
    memory.run(&calls.map(|c| c.expect("a plan")));
    let wanted = nets::means(shape, samples, level, &order, points);
    assert_bits(&memory.get(vertices), &wanted, "means");
    let quads = nets::quads(shape, samples, level);
    let mut places = memory.get(numbers);
    assert_eq!(scan::twin(&mut places) as usize, quads.len());
    let places = memory.put(&places);
    let out = memory.put(&vec![u32::MAX; 4 * quads.len()]);
    let of = [signs, cells, starts, places].map(Slot::view);
    let call = nets::plan_quads(shape, of, &out.view_mut());
    memory.run(&[call.expect("a plan")]);
    assert_eq!(memory.get(out), quads.as_flattened());
}

#[test]
fn triangles_have_the_order_of_plain_loops() {
    for shape in [
        [2, 2, 2],
        [3, 4, 31],
        [5, 3, 32],
        [4, 5, 33],
        [6, 2, 70],
        [9, 10, 64],
    ] {
        let n = shape.iter().product();
        check::<f32>(shape, &normal(n, 1), 0.1);
        check::<f64>(shape, &normal(n, 2), -0.4);
    }
    // Quotients that overflow, samples at the level, nothing below, everything below.
    let mut wild = normal::<f64>(1000, 3);
    for v in &mut wild {
        *v *= 4e307;
    }
    check([10; 3], &wild, 0.0);
    let steps: Vec<f32> = (0..512)
        .map(|i| (Key::new(1).bits(0, i)[0] % 3) as f32)
        .collect();
    check([8; 3], &steps, 1.0);
    check::<f32>([8; 3], &vec![1.0; 512], 0.5);
    check::<f32>([8; 3], &vec![1.0; 512], 1.5);
}

/// The first sample that is not finite is named, wherever it stands.
#[test]
fn samples_that_are_not_finite_are_seen() {
    let shape = [3, 5, 37];
    for (at, value) in [
        (0, f64::NAN),
        (200, f64::INFINITY),
        (554, f64::NEG_INFINITY),
    ] {
        let mut samples = normal::<f64>(555, 1);
        samples[at] = value;
        samples[554] = f64::NAN;
        let mut memory = Memory::default();
        let field = memory.put(&samples);
        let signs = memory.put(&vec![0_u32; words(shape)]);
        let bad = memory.put(&[0_u64]);
        let call = plan_signs(shape, field.view(), 0.0, &signs.view_mut(), &bad.view_mut());
        if memory.run(&[call.expect("a plan")]) {
            assert_eq!(memory.get(bad), [!(at as u64)]);
        }
    }
}
