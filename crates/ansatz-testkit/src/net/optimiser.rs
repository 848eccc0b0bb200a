//! Stochastic gradient descent on one flat vector.

/// Adam (D. Kingma, J. Ba, *Adam: a method for stochastic optimization*, 2015, algorithm 1).
///
/// ```
/// use ansatz_testkit::net::Adam;
/// let (mut p, mut adam) = ([3.0], Adam::new(1, 0.1));
/// for _ in 0..200 {
///     let gradient = [2.0 * p[0]];
///     adam.step(&mut p, &gradient);
/// }
/// assert!(p[0].abs() < 1e-2);
/// ```
#[derive(Debug, Clone)]
pub struct Adam {
    /// Step size.
    pub rate: f64,
    /// Decay of the mean.
    pub beta1: f64,
    /// Decay of the mean square.
    pub beta2: f64,
    first: Vec<f64>,
    second: Vec<f64>,
    decays: [f64; 2],
}

impl Adam {
    /// For `params` numbers; decays 0.9 and 0.999.
    #[must_use]
    pub fn new(params: usize, rate: f64) -> Self {
        Self {
            rate,
            beta1: 0.9,
            beta2: 0.999,
            first: vec![0.0; params],
            second: vec![0.0; params],
            decays: [1.0; 2],
        }
    }

    /// One step down.
    ///
    /// # Panics
    /// When lengths differ from that at the start.
    pub fn step(&mut self, params: &mut [f64], gradient: &[f64]) {
        assert!(params.len() == self.first.len() && gradient.len() == params.len());
        let (b1, b2) = (self.beta1, self.beta2);
        self.decays[0] *= b1;
        self.decays[1] *= b2;
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((p, g), (m, v)) in params.iter_mut().zip(gradient).zip(moments) {
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            let (mean, square) = (*m / (1.0 - self.decays[0]), *v / (1.0 - self.decays[1]));
            *p -= self.rate * mean / (square.sqrt() + 1e-8);
        }
    }
}

/// Adadelta (M. Zeiler, *Adadelta: an adaptive learning rate method*, 2012, algorithm 1), with a factor and
/// weight decay: what neural stochastic equations are trained with as adversaries.
#[derive(Debug, Clone)]
pub struct Adadelta {
    /// Factor of each step.
    pub rate: f64,
    /// Decay of the mean squares.
    pub rho: f64,
    /// Multiple of the parameters that is added to the gradient.
    pub weight_decay: f64,
    /// Keeps the ratio of mean squares finite.
    pub epsilon: f64,
    squares: Vec<f64>,
    steps: Vec<f64>,
}

impl Adadelta {
    /// For `params` numbers; decay 0.9, no weight decay, epsilon 1e-6.
    #[must_use]
    pub fn new(params: usize, rate: f64) -> Self {
        Self {
            rate,
            rho: 0.9,
            weight_decay: 0.0,
            epsilon: 1e-6,
            squares: vec![0.0; params],
            steps: vec![0.0; params],
        }
    }

    /// One step down.
    ///
    /// # Panics
    /// When lengths differ from that at the start.
    pub fn step(&mut self, params: &mut [f64], gradient: &[f64]) {
        assert!(params.len() == self.squares.len() && gradient.len() == params.len());
        let means = self.squares.iter_mut().zip(&mut self.steps);
        for ((p, g), (square, step)) in params.iter_mut().zip(gradient).zip(means) {
            let g = g + self.weight_decay * *p;
            *square = self.rho * *square + (1.0 - self.rho) * g * g;
            let change = ((*step + self.epsilon) / (*square + self.epsilon)).sqrt() * g;
            *step = self.rho * *step + (1.0 - self.rho) * change * change;
            *p -= self.rate * change;
        }
    }
}
