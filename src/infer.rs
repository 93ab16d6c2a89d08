//! ONNX Runtime: finding the library, and networks that run without allocating. The only file that names `ort`.
//!
//! One engine for the process, one [`Network`] per worker and model: one intra-op thread, no spinning, because lanes are parallel
//! already (two intra-op threads were measured at 1.5-1.9 times the CPU per image). Inputs are written in place into the tensor that the session
//! reads, outputs are read in place from tensors that were allocated with the session.
//!
//! Where the library is looked for: the file named by `ORT_DYLIB_PATH` and nothing else if that is set (cargo sets it to what
//! `cargo xtask runtime` provisions), else beside the executable, else by name where the system looks for libraries.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::memory::Allocator;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session, SessionOutputs};
use ort::value::{PrimitiveTensorElementType, Tensor, TensorElementType, ValueType};

use crate::error::{Error, Fault, Result};

/// The loaded library. Cheap to clone; keep one for the process.
#[derive(Clone)]
pub struct Engine {
    environment: Environment,
}

impl Engine {
    /// Loads ONNX Runtime, once for the process.
    ///
    /// # Errors
    /// `Model`, in one sentence that says how to get the library, where it is missing, too old, or not ONNX Runtime.
    pub fn load() -> Result<Engine> {
        // A process may have one environment: two threads that load at once get the same.
        static LOADED: Mutex<Option<Engine>> = Mutex::new(None);
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*loaded {
            return Ok(engine.clone());
        }
        let build = || builder()?.with_name("garita").with_telemetry(false).build().map_err(|error| model_error("ONNX Runtime", &error));
        // `ort` panics on a library that claims a version and lacks that version's functions.
        let environment = silently(build).unwrap_or_else(|| Err(not_loaded("it lacks functions that ONNX Runtime of its version has")))?;
        Ok(loaded.insert(Engine { environment }).clone())
    }
}

#[cfg(not(feature = "load-dynamic"))]
fn builder() -> Result<ort::environment::EnvironmentBuilder> {
    Ok(ort::init())
}

#[cfg(not(feature = "load-dynamic"))]
fn library() -> (PathBuf, &'static str) {
    (PathBuf::from("ONNX Runtime"), "linked to this program")
}

#[cfg(feature = "load-dynamic")]
fn builder() -> Result<ort::environment::EnvironmentBuilder> {
    ort::init_from(library().0).map_err(|error| match error {
        ort::LoadDynamicError::Dlopen { .. } => not_loaded("it is not there, or not a library for this machine"),
        ort::LoadDynamicError::BadVersion { version_str, .. } => not_loaded(&format!("it is version {version_str}, too old; 1.24 or newer is needed")),
        _ => not_loaded("it is not ONNX Runtime"),
    })
}

/// Which library is to be loaded, and who says so.
#[cfg(feature = "load-dynamic")]
fn library() -> (PathBuf, &'static str) {
    let file = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join(&file)));
    match std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        Some(path) => (PathBuf::from(path), "named by ORT_DYLIB_PATH"),
        None => match beside.filter(|path| path.exists()) {
            Some(path) => (path, "beside the executable"),
            None => (PathBuf::from(file), "in the system's library path"),
        },
    }
}

fn not_loaded(why: &str) -> Error {
    let (library, origin) = library();
    Error::new(
        Fault::Model,
        format!(
            "cannot load {} ({origin}): {why}. In the repository `cargo xtask runtime` fetches it; elsewhere set ORT_DYLIB_PATH to the libonnxruntime of the \
             `onnxruntime` Python wheel, or put it beside the executable",
            library.display()
        ),
    )
    .in_("ONNX Runtime")
}

/// What `work` answers; nothing where it panics, of which nothing is printed either.
fn silently<Answer>(work: impl FnOnce() -> Answer) -> Option<Answer> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    std::panic::set_hook(hook);
    answer.ok()
}

/// What a network's input holds: `f32`, or the bytes of a picture as they are.
pub trait Input: PrimitiveTensorElementType + Copy + Default + std::fmt::Debug + 'static {}

impl Input for f32 {}
impl Input for u8 {}

/// One model, loaded for one worker.
pub struct Network<In: Input = f32> {
    name: &'static str,
    session: Session,
    input: Tensor<In>,
    options: RunOptions<HasSelectedOutputs>,
}

/// What a run of a [`Network`] gave, in the order of the names that it was opened with.
pub struct Outputs<'run> {
    outputs: SessionOutputs<'run>,
}

impl Outputs<'_> {
    /// The values of output `index`, row-major in the shape that it was opened with.
    ///
    /// # Panics
    /// Where there is no such output: [`Network::open`] checked names and shapes.
    pub fn get(&self, index: usize) -> &[f32] {
        self.outputs[index].try_extract_tensor::<f32>().expect("opened as f32").1
    }
}

impl<In: Input> Network<In> {
    /// Loads `model` (the bytes of an ONNX file) with one input of shape `input` and f32 outputs of the given names and shapes.
    ///
    /// # Errors
    /// `Model` where the file is no ONNX model, or does not have these inputs and outputs.
    pub fn open(engine: &Engine, name: &'static str, model: &[u8], input: &[usize], outputs: &[(&str, &[usize])]) -> Result<Network<In>> {
        let failed = |error: &dyn std::fmt::Display| model_error(name, error);
        let session = Session::builder(&engine.environment)
            .map_err(|error| failed(&error))?
            .with_intra_threads(1)
            .map_err(|error| failed(&error))?
            .with_inter_threads(1)
            .map_err(|error| failed(&error))?
            .with_intra_op_spinning(false)
            .map_err(|error| failed(&error))?
            .commit_from_memory(model)
            .map_err(|error| failed(&error))?;
        let differs = |what: &str, is: &ValueType, ty: TensorElementType, want: &[usize]| {
            Err(failed(&format!("{what} is {is}, this version of garita needs {ty} of shape {want:?}")))
        };
        let given = In::into_tensor_element_type();
        let [only] = session.inputs() else { return Err(failed(&"needs exactly one input")) };
        if !is_tensor(only.dtype(), given, input) {
            return differs("its input", only.dtype(), given, input);
        }
        let mut selector = OutputSelector::no_default();
        for &(output, shape) in outputs {
            let Some(found) = session.outputs().iter().find(|candidate| candidate.name() == output) else {
                return Err(failed(&format!("has no output named {output}")));
            };
            if !is_tensor(found.dtype(), TensorElementType::Float32, shape) {
                return differs(&format!("its output {output}"), found.dtype(), TensorElementType::Float32, shape);
            }
            let tensor = Tensor::<f32>::new(&Allocator::default(), shape).map_err(|error| failed(&error))?;
            selector = selector.with(output).preallocate(output, tensor);
        }
        let options = RunOptions::new().map_err(|error| failed(&error))?.with_outputs(selector);
        let mut input = Tensor::<In>::new(&Allocator::default(), input).map_err(|error| failed(&error))?;
        input.extract_tensor_mut().1.fill(In::default());
        Ok(Network { name, session, input, options })
    }

    /// The input's values, row-major, to be written in place before [`Network::run`]; they stay from run to run.
    pub fn input(&mut self) -> &mut [In] {
        self.input.extract_tensor_mut().1
    }

    /// Runs the network on what [`Network::input`] holds.
    ///
    /// # Errors
    /// `Model` where ONNX Runtime fails (out of memory, say).
    pub fn run(&mut self) -> Result<Outputs<'_>> {
        let name = self.name;
        let outputs = self.session.run_with_options(ort::inputs![&self.input], &self.options).map_err(|error| model_error(name, &error))?;
        Ok(Outputs { outputs })
    }
}

/// True for a tensor of `element` whose fixed dimensions are those of `shape`; a dynamic dimension fits any.
fn is_tensor(value: &ValueType, element: TensorElementType, shape: &[usize]) -> bool {
    let ValueType::Tensor { ty, shape: dimensions, .. } = value else { return false };
    *ty == element && dimensions.len() == shape.len() && dimensions.iter().zip(shape).all(|(&is, &want)| is < 0 || is as usize == want)
}

fn model_error(name: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(Fault::Model, error.to_string()).in_(name)
}
