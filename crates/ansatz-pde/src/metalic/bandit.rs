//! Choices by context, one after the other, that learn from what they earned.

use ansatz_core::{Event, Key, NoiseLevel, Observer};

use super::{Factor, Surrogate};
use crate::PdeError;
use crate::error::{expect, finite, within};

/// What a bandit plays against: a problem is drawn, then solved in stages, each with an action.
pub trait Environment {
    /// Parameters of a problem.
    fn sample(&self, key: Key) -> Vec<f64>;

    /// Begins the problem with these parameters.
    ///
    /// # Errors
    /// Whatever keeps it from being posed.
    fn begin(&mut self, context: &[f64], key: Key) -> Result<(), PdeError>;

    /// Takes the next stage with an action: the reward.
    ///
    /// # Errors
    /// Whatever keeps it from being solved.
    fn act(&mut self, action: &[bool]) -> Result<f64, PdeError>;
}

/// How an action is chosen from the posterior of rewards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Policy {
    /// The largest μ + c·σ.
    UpperBound(f64),
    /// The largest value of one function drawn from the posterior.
    Thompson,
    /// The largest of so many draws for each action by itself, without their covariances: more optimistic than Thompson
    /// sampling. It is what the authors' program does, with 20 draws.
    // Deviation: theirs goes by the name of Thompson sampling.
    Diagonal(usize),
    /// Any action, for comparison.
    Random,
}

/// What later stages add to the target of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Total {
    /// Mean of γ^(j−i)·Rⱼ over the stages j ≥ i, as in the authors' program.
    #[default]
    Mean,
    /// Their sum, the usual return.
    Sum,
}

/// Options of a [`Bandit`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BanditOptions {
    /// How actions are chosen.
    pub policy: Policy,
    /// Problems with random actions at the start.
    pub warm_up: usize,
    /// Stages of a problem.
    pub stages: usize,
    /// γ.
    pub discount: f64,
    /// What later stages add.
    pub total: Total,
}

impl Default for BanditOptions {
    /// One stage, upper bound with c = 1 after five random problems; γ = 0.9.
    fn default() -> Self {
        Self {
            policy: Policy::UpperBound(1.0),
            warm_up: 5,
            stages: 1,
            discount: 0.9,
            total: Total::default(),
        }
    }
}

/// One problem that was played.
#[derive(Debug, Clone, PartialEq)]
pub struct Play {
    /// Its parameters.
    pub context: Vec<f64>,
    /// The action of each stage.
    pub actions: Vec<Vec<bool>>,
    /// The reward of each stage.
    pub rewards: Vec<f64>,
}

/// A bandit with contexts, stages and actions that are sets of switches.
///
/// The first stage has the kernel k(β)·k(a) of the problem's parameters and the action; later ones
/// k(R)·k(β)·k(a₋)·k(a) of the stage before as well, all with scales of their own. Before each play all parameters are
/// fitted afresh. Cost of a play with n before it: O(n³) for each step of the fit, O(n²) for each action, and for
/// [`Policy::Thompson`] the cube of the number of actions.
#[derive(Debug, Clone)]
pub struct Bandit {
    options: BanditOptions,
    /// Mean and scale of each parameter of a problem.
    scaling: Vec<[f64; 2]>,
    actions: Vec<Vec<bool>>,
    plays: Vec<Play>,
    models: Vec<Surrogate>,
}

/// Every set of `bits` switches.
#[must_use]
pub fn all_actions(bits: usize) -> Vec<Vec<bool>> {
    let one = |set: usize| (0..bits).map(|i| set >> i & 1 == 1).collect();
    (0..1_usize << bits.min(20)).map(one).collect()
}

/// Keys of choices: stage by stage, each below this.
const SAMPLE: u64 = 1 << 32;
const BEGIN: u64 = SAMPLE + 1;

impl Bandit {
    /// A bandit for problems whose parameters lie evenly in `ranges`, and these actions.
    ///
    /// # Errors
    /// [`PdeError::Option`] for ranges, stages or γ that are none, [`PdeError::Width`] for actions of several lengths or
    /// none.
    pub fn new(
        options: BanditOptions,
        ranges: &[[f64; 2]],
        actions: Vec<Vec<bool>>,
    ) -> Result<Self, PdeError> {
        within("stages", options.stages as f64, 1.0.., "1 or more")?;
        within("discount", options.discount, 0.0..=1.0, "from 0 to 1")?;
        match options.policy {
            Policy::UpperBound(c) => within("c", c, 0.0.., "a number not below 0")?,
            Policy::Diagonal(n) => within("draws", n as f64, 1.0.., "1 or more")?,
            Policy::Thompson | Policy::Random => {}
        }
        expect("actions, at least", 1, actions.len().min(1))?;
        for action in &actions {
            expect("switches of an action", actions[0].len(), action.len())?;
        }
        let mut scaling = Vec::new();
        for [a, b] in ranges {
            within("width of a range", b - a, f64::MIN_POSITIVE.., "above 0")?;
            scaling.push([0.5 * (a + b), (b - a) / 12.0_f64.sqrt()]);
        }
        Ok(Self {
            options,
            scaling,
            actions,
            plays: Vec::new(),
            models: Vec::new(),
        })
    }

    /// What was played.
    #[must_use]
    pub fn plays(&self) -> &[Play] {
        &self.plays
    }

    /// The posterior of each stage, as [`Bandit::fit`] left it.
    #[must_use]
    pub fn models(&self) -> &[Surrogate] {
        &self.models
    }

    /// Takes a play from elsewhere.
    ///
    /// # Errors
    /// [`PdeError::Width`], and [`PdeError::NotFinite`] for rewards that are not; nothing is kept then.
    pub fn record(&mut self, play: Play) -> Result<(), PdeError> {
        expect(
            "parameters of a problem",
            self.scaling.len(),
            play.context.len(),
        )?;
        expect("actions of a play", self.options.stages, play.actions.len())?;
        expect("rewards of a play", self.options.stages, play.rewards.len())?;
        for action in &play.actions {
            expect("switches of an action", self.actions[0].len(), action.len())?;
        }
        finite(|| "parameters of a problem".into(), &play.context)?;
        finite(|| "rewards".into(), &play.rewards)?;
        self.plays.push(play);
        Ok(())
    }

    /// Fits the posterior of each stage to all plays.
    ///
    /// # Errors
    /// [`PdeError::NoData`] before the first play; as [`Surrogate::fit`].
    pub fn fit(&mut self) -> Result<(), PdeError> {
        if self.plays.is_empty() {
            return Err(PdeError::NoData { what: "a bandit" });
        }
        let mut models = Vec::new();
        for stage in 0..self.options.stages {
            let rows: Vec<f64> = self
                .plays
                .iter()
                .flat_map(|play| {
                    let before = stage
                        .checked_sub(1)
                        .map(|i| (play.rewards[i], &play.actions[i][..]));
                    self.row(&play.context, before, &play.actions[stage])
                })
                .collect();
            let values: Vec<f64> = self
                .plays
                .iter()
                .map(|p| self.target(&p.rewards[stage..]))
                .collect();
            models.push(Surrogate::fit(&self.factors(stage), &rows, &values)?);
        }
        self.models = models;
        Ok(())
    }

    /// The action for a problem at a stage, given reward and action of the stage before.
    ///
    /// # Errors
    /// [`PdeError::NoData`] when nothing was fitted, [`PdeError::Width`], [`PdeError::NotFinite`].
    pub fn choose(
        &self,
        policy: Policy,
        (stage, context): (usize, &[f64]),
        before: Option<(f64, &[bool])>,
        key: Key,
    ) -> Result<Vec<bool>, PdeError> {
        expect("parameters of a problem", self.scaling.len(), context.len())?;
        if policy == Policy::Random {
            let [u, _] = key.uniform(0, 0);
            return Ok(self.actions[(u * self.actions.len() as f64) as usize].clone());
        }
        let model = self
            .models
            .get(stage)
            .ok_or(PdeError::NoData { what: "a bandit" })?;
        let rows = self.actions.iter();
        let rows: Vec<f64> = rows.flat_map(|a| self.row(context, before, a)).collect();
        let scores: Vec<f64> = match policy {
            Policy::Thompson => model.draw(&rows, key)?,
            Policy::UpperBound(c) => {
                let bound = |[mean, variance]: [f64; 2]| mean + c * variance.sqrt();
                model.predict(&rows)?.into_iter().map(bound).collect()
            }
            Policy::Diagonal(draws) => {
                let mut z = vec![0.0; draws];
                let score = |(i, [mean, variance]): (usize, [f64; 2])| {
                    key.fill_normal(i as u64, &mut z);
                    mean + variance.sqrt() * z.iter().copied().fold(f64::NEG_INFINITY, f64::max)
                };
                model
                    .predict(&rows)?
                    .into_iter()
                    .enumerate()
                    .map(score)
                    .collect()
            }
            Policy::Random => Vec::new(),
        };
        let largest = |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
        Ok(self.actions[(0..scores.len()).fold(0, largest)].clone())
    }

    /// The action of the largest mean.
    ///
    /// # Errors
    /// As [`Bandit::choose`].
    pub fn best(
        &self,
        problem: (usize, &[f64]),
        before: Option<(f64, &[bool])>,
    ) -> Result<Vec<bool>, PdeError> {
        self.choose(Policy::UpperBound(0.0), problem, before, Key::new(0))
    }

    /// Plays so many problems, fitting before each; the observer sees each play. Keys of problems are made from `key` and
    /// the number of plays so far, so that a run may be continued.
    ///
    /// # Errors
    /// As the environment, [`Bandit::fit`] and [`Bandit::choose`]; plays before are kept.
    pub fn run<E, O>(
        &mut self,
        environment: &mut E,
        plays: usize,
        key: Key,
        observer: &mut O,
    ) -> Result<(), PdeError>
    where
        E: Environment + ?Sized,
        O: Observer<Play> + ?Sized,
    {
        for number in 1..=plays {
            let key = key.fold_in(self.plays.len() as u64);
            let warm = self.plays.len() < self.options.warm_up;
            let policy = if warm {
                Policy::Random
            } else {
                self.options.policy
            };
            if policy != Policy::Random {
                self.fit()?;
            }
            let context = environment.sample(key.fold_in(SAMPLE));
            let play = self.problem(environment, policy, context, key)?;
            self.record(play)?;
            let level = NoiseLevel::clean(number as f64);
            if let Some(play) = self.plays.last()
                && observer
                    .on_step(&Event::new(number, plays, number, level, play))
                    .is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Solves one problem with the actions of the largest means, without learning from it.
    ///
    /// # Errors
    /// As the environment and [`Bandit::choose`].
    pub fn roll<E: Environment + ?Sized>(
        &self,
        environment: &mut E,
        context: Vec<f64>,
        key: Key,
    ) -> Result<Play, PdeError> {
        self.problem(environment, Policy::UpperBound(0.0), context, key)
    }

    fn problem<E: Environment + ?Sized>(
        &self,
        environment: &mut E,
        policy: Policy,
        context: Vec<f64>,
        key: Key,
    ) -> Result<Play, PdeError> {
        environment.begin(&context, key.fold_in(BEGIN))?;
        let mut play = Play {
            context,
            actions: Vec::new(),
            rewards: Vec::new(),
        };
        for stage in 0..self.options.stages {
            let before = play.rewards.last().zip(play.actions.last());
            let before = before.map(|(r, a)| (*r, &a[..]));
            let key = key.fold_in(stage as u64);
            let action = self.choose(policy, (stage, &play.context), before, key)?;
            let reward = environment.act(&action)?;
            finite(|| "rewards".into(), &[reward])?;
            play.actions.push(action);
            play.rewards.push(reward);
        }
        Ok(play)
    }

    fn factors(&self, stage: usize) -> Vec<Factor> {
        let context = Factor::Numbers(self.scaling.len());
        let action = Factor::Switches(self.actions[0].len());
        if stage == 0 {
            vec![context, action]
        } else {
            vec![Factor::Numbers(1), context, action, action]
        }
    }

    fn row(&self, context: &[f64], before: Option<(f64, &[bool])>, action: &[bool]) -> Vec<f64> {
        let bits = |action: &[bool]| action.iter().map(|a| f64::from(*a)).collect::<Vec<_>>();
        let scaled = context
            .iter()
            .zip(&self.scaling)
            .map(|(b, [m, s])| (b - m) / s);
        let mut row: Vec<f64> = before.iter().map(|(reward, _)| *reward).collect();
        row.extend(scaled);
        row.extend(before.iter().flat_map(|(_, action)| bits(action)));
        row.extend(bits(action));
        row
    }

    fn target(&self, rewards: &[f64]) -> f64 {
        let sum = rewards
            .iter()
            .rev()
            .fold(0.0, |sum, reward| reward + self.options.discount * sum);
        match self.options.total {
            Total::Mean => sum / rewards.len() as f64,
            Total::Sum => sum,
        }
    }
}
