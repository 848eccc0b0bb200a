//! Level sets on grids against plain loops, bit for bit; and vertices near the surface they stand for.

use ansatz_core::Scalar;
use ansatz_cuda::DeviceScalar;
use ansatz_cuda::kernel::grid_field::{
    cases, counts_len, crossed, dual, plan_classify, plan_compact, plan_dual,
};
use ansatz_cuda::kernel::scan;

use crate::harness::{Memory, Plain};
use crate::{assert_bits, normal};

fn check<T: DeviceScalar + Plain>(shape: [usize; 3], samples: &[T], level: f64) {
    let what = format!("{shape:?} at {level}");
    let marks = cases(shape, samples, level);
    let cells = crossed(&marks);
    let vertices = dual(shape, samples, level, &cells);
    let mut memory = Memory::default();
    let field = memory.put(samples);
    let case = memory.put(&vec![77_u8; marks.len()]);
    let counts = memory.put(&vec![u32::MAX; counts_len(shape).expect("a number")]);
    let mut calls = Vec::new();
    calls.extend(
        plan_classify(
            shape,
            field.view(),
            level,
            &case.view_mut(),
            &counts.view_mut(),
        )
        .expect("a plan"),
    );
    if calls.is_empty() || !memory.run(&calls) {
        return;
    }
    assert_eq!(memory.get(case), marks, "{what}");
    let mut numbers = memory.get(counts);
    assert_eq!(scan::twin(&mut numbers), cells.len() as u32, "{what}");
    let firsts = memory.put(&numbers);
    let list = memory.put(&vec![u32::MAX; cells.len()]);
    let places = memory.put(&vec![T::nan(); 3 * cells.len()]);
    let mut calls = Vec::new();
    calls.extend(plan_compact(case.view(), firsts.view(), &list.view_mut()).expect("a plan"));
    calls.extend(
        plan_dual(
            shape,
            field.view(),
            level,
            case.view(),
            list.view(),
            &places.view_mut(),
        )
        .expect("a plan"),
    );
    memory.run(&calls);
    assert_eq!(memory.get(list), cells, "{what}");
    assert_bits(&memory.get(places), &vertices, &what);
}

fn ball<T: Scalar>(shape: [usize; 3], centre: f64) -> Vec<T> {
    let n: usize = shape.iter().product();
    (0..n)
        .map(|at| {
            let [i, j, k] = [
                at / (shape[1] * shape[2]),
                at / shape[2] % shape[1],
                at % shape[2],
            ];
            let square: f64 = [i, j, k].map(|v| (v as f64 - centre).powi(2)).iter().sum();
            T::of(square.sqrt())
        })
        .collect()
}

#[test]
fn cells_and_vertices_have_the_bits_of_plain_loops() {
    for shape in [[0, 0, 0], [1, 5, 5], [2, 2, 2], [9, 10, 11], [40, 33, 71]] {
        let n = shape.iter().product();
        check::<f32>(shape, &normal(n, 1), 0.1);
        check::<f64>(shape, &normal(n, 1), 0.1);
        check::<f32>(shape, &ball(shape, 10.3), 6.5);
    }
    // Quotients that overflow.
    let mut wild = normal::<f64>(1000, 3);
    for v in &mut wild {
        *v *= 1e308;
    }
    check([10; 3], &wild, 0.0);
    // Nothing, and everything, below.
    check::<f32>([8; 3], &vec![1.0; 512], 0.5);
    check::<f32>([8; 3], &vec![1.0; 512], 1.5);
}

/// Means of crossings of a ball's distance lie within the bend of the surface in a cell: √3²/8R.
#[test]
fn twin_places_vertices_on_a_ball() {
    let (shape, centre, radius) = ([24; 3], 11.5, 8.2);
    let samples = ball::<f64>(shape, centre);
    let cells = crossed(&cases(shape, &samples, radius));
    let vertices = dual(shape, &samples, radius, &cells);
    assert!(cells.len() > 500);
    for v in vertices.chunks(3) {
        let distance = v.iter().map(|x| (x - centre).powi(2)).sum::<f64>().sqrt();
        assert!(
            (distance - radius).abs() < 3.0 / (8.0 * radius) + 0.05,
            "{distance}"
        );
    }
}
