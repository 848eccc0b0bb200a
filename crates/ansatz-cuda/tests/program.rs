//! Programs of generated kernels: what is refused, what is tested when it runs, and how memory and launches are planned. Their
//! results are looked at by the tests of `ansatz-autodiff`, which run them.

use ansatz_cuda::CudaError;
use ansatz_cuda::program::{
    Array, Body, Builder, Condition, Factor, Fold, Function, Index, Loop, Plan, Precision, Product,
    Products, Store,
};

/// y[i] = f(x) over `n` points, by a body and a place.
fn point_loop(
    program: &mut Builder<f32>,
    shape: &[usize],
    write: impl FnOnce(&mut Body, &[Index]) -> ansatz_cuda::program::Reg,
    (array, place): (Array, Index),
) -> Result<(), CudaError> {
    let mut body = Body::new();
    let value = write(&mut body, &Index::axes(shape, 0));
    program.add_loop(Loop {
        outer: shape.to_vec(),
        inner: Vec::new(),
        body,
        fold: None,
        results: vec![Store {
            value,
            array,
            index: place,
        }],
    })
}

fn refused(result: &Result<(), CudaError>, word: &str) {
    match result {
        Err(e @ (CudaError::OutOfRange { .. } | CudaError::Unsound { .. })) => {
            assert!(e.to_string().contains(word), "{e}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn unsound_loops_are_refused() {
    let mut program = Builder::<f32>::new();
    let (x, y, short) = (program.input(12), program.array(12), program.array(11));
    let table = program.table(&[0, 1, 2]);
    let at = Index::axes(&[3, 4], 0);
    let flat = Index::flat(&at, &[3, 4]);
    let copy = |body: &mut Body, at: &[Index]| body.load(x, &Index::flat(at, &[3, 4]));
    // Beyond the result's end, before its start, two points at one place, places from a table.
    refused(
        &point_loop(&mut program, &[3, 4], copy, (short, flat.clone())),
        "place",
    );
    refused(
        &point_loop(&mut program, &[3, 4], copy, (y, flat.shift(-1))),
        "place",
    );
    refused(
        &point_loop(&mut program, &[3, 4], copy, (y, at[0].plus(&at[1]))),
        "share",
    );
    let mut body = Body::new();
    let read = body.load(table, &at[0]);
    let row = body.row(read, 12);
    let value = body.number(1.0);
    let scattered = program.add_loop(Loop {
        outer: vec![3],
        inner: Vec::new(),
        body,
        fold: None,
        results: vec![Store {
            value,
            array: y,
            index: row,
        }],
    });
    refused(&scattered, "row");
    // Inputs and tables are not written, and nothing is read and written at once.
    refused(
        &point_loop(&mut program, &[3, 4], copy, (x, flat.clone())),
        "inputs",
    );
    refused(
        &point_loop(&mut program, &[3], copy, (table, Index::axis(0, 3))),
        "inputs",
    );
    let own = |body: &mut Body, at: &[Index]| body.load(y, &Index::flat(at, &[3, 4]));
    refused(
        &point_loop(&mut program, &[3, 4], own, (y, flat.clone())),
        "twice",
    );
    // Whole numbers are no numbers; registers and axes must be there.
    let whole = |body: &mut Body, at: &[Index]| body.load(table, &at[0]);
    refused(
        &point_loop(&mut program, &[3, 4], whole, (y, flat.clone())),
        "no number",
    );
    let mut other = Body::new();
    let strange = (0..5).fold(other.number(0.0), |r, _| other.call(Function::Exp, &[r]));
    // An axis that is longer than its index says, on which intervals stand.
    let longer = |body: &mut Body, _: &[Index]| body.load(x, &Index::axis(0, 3));
    refused(
        &point_loop(&mut program, &[12], longer, (y, Index::axis(0, 12))),
        "longer",
    );
    refused(
        &point_loop(
            &mut program,
            &[12],
            |body, _| body.number(1.0),
            (y, Index::axis(0, 3)),
        ),
        "longer",
    );
    let foreign = |_: &mut Body, _: &[Index]| strange;
    refused(
        &point_loop(&mut program, &[3, 4], foreign, (y, flat.clone())),
        "no number",
    );
    let far = |body: &mut Body, _: &[Index]| body.load(x, &Index::axis(5, 4));
    refused(&point_loop(&mut program, &[3, 4], far, (y, flat)), "axis");
}

#[test]
fn unsound_products_are_refused() {
    let mut program = Builder::<f64>::new();
    let (a, b, c) = (program.input(6), program.input(6), program.array(4));
    let spare = program.input(4);
    let at = Index::axes(&[2, 2, 3], 0);
    let factor = |array, index: Index| Factor {
        array,
        index,
        when: Vec::new(),
    };
    let good = Product {
        batch: Vec::new(),
        rows: vec![2],
        columns: vec![2],
        inner: vec![3],
        left: factor(a, Index::flat(&[at[0].clone(), at[2].clone()], &[2, 3])),
        right: factor(b, Index::flat(&[at[2].clone(), at[1].clone()], &[3, 2])),
        out: (c, Index::flat(&at[..2], &[2, 2])),
        precision: Precision::Full,
    };
    let with = |change: &dyn Fn(&mut Product)| {
        let mut product = good.clone();
        change(&mut product);
        product
    };
    refused(
        &program.add_product(&with(&|p| p.left = p.right.clone())),
        "axes",
    );
    refused(&program.add_product(&with(&|p| p.out.0 = spare)), "inputs");
    refused(
        &program.add_product(&with(&|p| p.left.array = c)),
        "factors",
    );
    refused(
        &program.add_product(&with(&|p| p.out.1 = at[0].clone())),
        "share",
    );
    assert_eq!(program.add_product(&good), Ok(()));
    let plan = program.finish(&[c]).expect("a plan");
    assert_eq!(
        (plan.matrix_products(), plan.launches(Products::Library)),
        (1, 1)
    );
    assert!(plan.entries(Products::Library).is_empty());
    assert_eq!(plan.entries(Products::Generated).len(), 1);
}

/// The line of the kernel that loads.
fn load_line(plan: &Plan<f32>) -> String {
    let source = plan.source();
    let line = source
        .lines()
        .find(|l| l.contains("= p0[") || l.contains("? p0["));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn loads_are_tested_where_they_are_not_proven() {
    let plan = |place: &dyn Fn(&[Index]) -> Index, when: &dyn Fn(&[Index]) -> Vec<Condition>| {
        let mut program = Builder::<f32>::new();
        let (x, y) = (program.input(12), program.array(12));
        let write = |body: &mut Body, at: &[Index]| {
            let value = body.load(x, &place(at));
            body.guarded(when(at), value, None)
        };
        let at = Index::axes(&[3, 4], 0);
        let target = (y, Index::flat(&at, &[3, 4]));
        point_loop(&mut program, &[3, 4], write, target).expect("a loop");
        load_line(&program.finish(&[y]).expect("a plan"))
    };
    let none = |_: &[Index]| Vec::new();
    let flat = |at: &[Index]| Index::flat(at, &[3, 4]);
    assert_eq!(plan(&flat, &none), "const float r0 = p0[i];");
    let turned = |at: &[Index]| at[0].plus(&at[1].times(3));
    assert_eq!(plan(&turned, &none), "const float r0 = p0[a0 + 3 * a1];");
    // One too far, whatever conditions say of other numbers.
    let far = |at: &[Index]| Index::flat(at, &[3, 4]).shift(1);
    assert_eq!(
        plan(&far, &none),
        "const float r0 = (i + 1 < 12) ? p0[i + 1] : 0;"
    );
    let inner = |at: &[Index]| vec![Condition::within(&at[1], 0, 3)];
    let line = plan(&far, &inner);
    assert!(line.contains("a1 < 3 && i + 1 < 12"), "{line}");
    let before = |at: &[Index]| at[1].shift(-2);
    assert!(plan(&before, &none).contains("a1 - 2 >= 0"));
}

/// Chains of arrays share memory, long folds of few results are cut, equal kernels are one.
#[test]
fn memory_and_launches_are_planned() {
    let mut program = Builder::<f32>::new();
    let n = 10_000;
    let mut last = program.input(n);
    for _ in 0..10 {
        let next = program.array(n);
        let write = |body: &mut Body, at: &[Index]| {
            let x = body.load(last, &at[0]);
            body.call(Function::Tanh, &[x])
        };
        point_loop(&mut program, &[n], write, (next, Index::axis(0, n))).expect("a loop");
        last = next;
    }
    let sum = program.array(1);
    let mut body = Body::new();
    let value = body.load(last, &Index::axis(0, n));
    program
        .add_loop(Loop {
            outer: Vec::new(),
            inner: vec![n],
            body,
            fold: Some(Fold::Sum),
            results: vec![Store {
                value,
                array: sum,
                index: Index::number(0),
            }],
        })
        .expect("a fold");
    let plan = program.finish(&[sum]).expect("a plan");
    assert!(
        plan.bytes() < 4 * (3 * n + 10 * 64),
        "{} bytes",
        plan.bytes()
    );
    // Ten maps with one kernel, and a fold in two steps.
    assert_eq!(plan.launches(Products::Generated), 12);
    assert_eq!(plan.entries(Products::Generated).len(), 3);
    assert_eq!(plan.source().matches("__global__").count(), 3);
}

/// Every function has its definition in what stands before the kernels, for both types.
#[test]
fn functions_are_defined() {
    let mut program = Builder::<f64>::new();
    let (x, y) = (program.input(1), program.array(1));
    let mut body = Body::new();
    let value = body.load(x, &Index::number(0));
    program
        .add_loop(Loop {
            outer: vec![1],
            inner: Vec::new(),
            body,
            fold: None,
            results: vec![Store {
                value,
                array: y,
                index: Index::number(0),
            }],
        })
        .expect("a loop");
    let source = program.finish(&[y]).expect("a plan").source();
    for function in Function::ALL {
        use Function::{Add, Mul, Neg, Sub};
        let name = function.name();
        let own = name.trim_start_matches("f_");
        let there =
            source.contains(&format!(" {name}(")) || source.contains(&format!("FUNCTION({own})"));
        // These are operators.
        let operator = matches!(function, Add | Sub | Mul | Neg);
        assert!(there || operator, "{name}");
        assert!((1..=3).contains(&function.arguments()));
    }
}

/// Long folds of few results are cut into parts, and so are the folds of many parts; every kernel declares what it writes.
#[test]
fn folds_of_many_parts_are_cut_again() {
    let (rows, columns) = (1 << 20, 3);
    let mut program = Builder::<f32>::new();
    let (x, y) = (program.input(rows * columns), program.array(columns));
    let mut body = Body::new();
    let at = Index::axis(1, rows).times(3).plus(&Index::axis(0, columns));
    let value = body.load(x, &at);
    let task = Loop {
        outer: vec![columns],
        inner: vec![rows],
        body,
        fold: Some(Fold::Sum),
        results: vec![Store {
            value,
            array: y,
            index: Index::axis(0, columns),
        }],
    };
    program.add_loop(task).expect("a loop");
    let plan = program.finish(&[y]).expect("a plan");
    assert_eq!(plan.launches(Products::Library), 3);
    let source = plan.source();
    for kernel in source.split("extern \"C\"").skip(1) {
        let (head, own) = kernel.split_once('{').expect("a body");
        assert!(own.contains("q0["), "{kernel}");
        assert!(head.contains(" q0)") || head.contains(" q0,"), "{kernel}");
    }
}
