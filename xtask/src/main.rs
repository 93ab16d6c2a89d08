//! The task runner: provisions ONNX Runtime, then runs the demo, the tests, or the chaos harness. Standard library only, so that it builds in a second.
//!
//! `cargo demo` and `cargo tests` are its aliases (`.cargo/config.toml`). The library comes from the official `onnxruntime` wheel, by
//! exact version and sha256, through `pip download`; `ORT_DYLIB_PATH` in the environment is respected and nothing is fetched then.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The ONNX Runtime release that garita is tested with. `ort` with `api-24` accepts 1.24 and newer.
const VERSION: &str = "1.32.0";

/// One wheel per platform: Rust's `OS-ARCH`, pip's platform tag, the library inside the wheel, and the wheel's sha256.
const WHEELS: [(&str, &str, &str, &str); 1] = [(
    "linux-x86_64",
    "manylinux_2_28_x86_64",
    "onnxruntime/capi/libonnxruntime.so.1.32.0",
    "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8",
)];

/// Checks the wheel's sha256 and copies the library and its licences out of it; run by Python, which `pip` needs anyway.
const UNPACK: &str = r#"
import hashlib, os, sys, zipfile
wheel, want, member, folder = sys.argv[1:]
have = hashlib.sha256(open(wheel, "rb").read()).hexdigest()
if have != want:
    sys.exit(f"{os.path.basename(wheel)}: sha256 is {have}, expected {want}: not the wheel that garita was tested with")
with zipfile.ZipFile(wheel) as archive:
    for name, target in [(member, "libonnxruntime.so"), ("onnxruntime/LICENSE", "LICENSE"), ("onnxruntime/ThirdPartyNotices.txt", "ThirdPartyNotices.txt")]:
        part = os.path.join(folder, target + ".part")
        with archive.open(name) as source, open(part, "wb") as sink:
            sink.write(source.read())
        os.replace(part, os.path.join(folder, target))
"#;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match arguments.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match task {
        "runtime" => runtime(),
        "demo" => runtime().and_then(|()| cargo(&["run", "--release", "--quiet", "--bin", "garita", "--", "demo"], rest)),
        // In the profile of the demo and of what ships: one build for all.
        "tests" => runtime().and_then(|()| cargo(&["test", "--release", "--workspace"], rest)),
        "chaos" => runtime().and_then(|()| chaos(rest)),
        _ => Err("usage: cargo xtask runtime|demo|tests|chaos [ARG …]\n  runtime  provision ONNX Runtime into .runtime/\n  demo     build and run `garita demo`\n  tests    build and run all tests\n  chaos    what must never go wrong, and the service's figures; --long: for hours; --only PART, --resume: in pieces".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The chaos tests' variables in the long form (`tests/chaos/main.rs`).
const LONG: [(&str, &str); 7] = [
    ("GARITA_FORBID_SKIP", "1"),
    ("GARITA_HANG_MS", "1000"),
    ("GARITA_KILLS", "1000"),
    ("GARITA_MUTATIONS", "10000"),
    ("GARITA_TRUNCATION_STEP", "1"),
    ("GARITA_OVERLOAD_S", "60"),
    ("GARITA_UPLOAD_MB", "1024"),
];

/// What the chaos tests and the service's figures fall into, the quickest first: modules of `tests/chaos/`, then runs of `cargo bench --bench service`.
const TESTS: [&str; 14] =
    ["threads", "devices", "outside", "opinions", "lists", "disk", "clocks", "slow", "overload", "doors", "flapping", "uploads", "hostile", "kills"];
/// Of these, what is a test elsewhere: a camera that comes and goes, an upload cut anywhere.
const ELSEWHERE: [(&str, &str, &str); 2] = [("flapping", "flapping", ""), ("uploads", "portals", "an_upload_cut_anywhere")];
const RUNS: [&str; 5] = ["overhead", "slow", "overload", "ready", "load"];

/// Each part of the chaos tests, then of the service's figures, all optimised; the later ones also where an earlier one fails. `--only PART` (a module, or `bench-RUN`) runs those alone,
/// `--resume` leaves out what has passed since the executable was built.
fn chaos(rest: &[String]) -> Result<(), String> {
    let (mut long, mut resume, mut only) = (false, false, Vec::new());
    let mut arguments = rest.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--long" => long = true,
            "--resume" => resume = true,
            "--only" => only.push(arguments.next().ok_or("--only takes a part's name")?.clone()),
            other => return Err(format!("{other}: known are --long, --resume, --only PART")),
        }
    }
    let parts: Vec<String> = TESTS.iter().map(|test| (*test).to_owned()).chain(RUNS.iter().map(|run| format!("bench-{run}"))).collect();
    if let Some(unknown) = only.iter().find(|one| !parts.contains(one)) {
        return Err(format!("--only {unknown}: the parts are {}", parts.join(", ")));
    }
    run(Command::new(env!("CARGO")).args(["test", "--release", "--test", "chaos", "--no-run"]).current_dir(root()), "cargo test")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let built = modified(&target.join("release/garita"));
    let stamps = target.join(if long { "chaos-long" } else { "chaos" });
    std::fs::create_dir_all(&stamps).map_err(|error| format!("{}: {error}", stamps.display()))?;
    let mut failed = Vec::new();
    for part in parts.iter().filter(|part| only.is_empty() || only.contains(part)) {
        let stamp = stamps.join(part);
        if resume && built.is_some() && modified(&stamp) > built {
            eprintln!("xtask: {part} has passed already");
            continue;
        }
        eprintln!("xtask: {part}");
        let passed = match part.strip_prefix("bench-") {
            Some(figure) => cargo(&["bench", "--bench", "service", "--", "--seconds", if long { "600" } else { "60" }, "--only", figure], &[]),
            None => {
                let module = format!("{part}::");
                let (_, test, filter) = ELSEWHERE.into_iter().find(|(name, ..)| *name == part.as_str()).unwrap_or((part, "chaos", &module));
                let mut tests = Command::new(env!("CARGO"));
                tests.args(["test", "--release", "--test", test, filter, "--", "--nocapture", "--test-threads=1"]).current_dir(root());
                if long {
                    tests.envs(LONG);
                }
                run(&mut tests, "cargo test")
            }
        };
        match passed {
            Ok(()) => std::fs::write(&stamp, "").map_err(|error| format!("{}: {error}", stamp.display()))?,
            Err(error) => failed.push(format!("{part}: {error}")),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// When a file was written last.
fn modified(path: &Path) -> Option<std::time::SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// Puts the library at `.runtime/libonnxruntime.so` unless it is there, or unless `ORT_DYLIB_PATH` names another one.
fn runtime() -> Result<(), String> {
    let folder = root().join(".runtime");
    let library = folder.join("libonnxruntime.so");
    if let Some(chosen) = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from)
        && chosen != library
    {
        return if chosen.exists() { Ok(()) } else { Err(format!("ORT_DYLIB_PATH names {}, which does not exist: mend or unset it", chosen.display())) };
    }
    let stamp = folder.join("version");
    if library.exists() && std::fs::read_to_string(&stamp).is_ok_and(|version| version == VERSION) {
        return Ok(());
    }
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let Some((_, tag, member, sha256)) = WHEELS.iter().find(|wheel| wheel.0 == platform) else {
        return Err(format!(
            "no ONNX Runtime wheel is known for {platform}: install ONNX Runtime {VERSION} or newer by hand and set ORT_DYLIB_PATH to its library, \
             or build with `--features ort-download`"
        ));
    };
    eprintln!("xtask: provisioning ONNX Runtime {VERSION} for {platform} into .runtime/");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let folder_text = folder.display().to_string();
    python(&[
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--python-version",
        "3.12",
        "--implementation",
        "cp",
        "--platform",
        tag,
        "--dest",
        &folder_text,
        &format!("onnxruntime=={VERSION}"),
    ])?;
    let wheel = std::fs::read_dir(&folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or("pip download left no wheel in .runtime/")?;
    python(&["-c", UNPACK, &wheel.display().to_string(), sha256, member, &folder_text])?;
    let _ = std::fs::remove_file(wheel);
    std::fs::write(&stamp, VERSION).map_err(|error| format!("{}: {error}", stamp.display()))
}

/// The repository's root: the parent of this crate's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository's root")
}

fn python(arguments: &[&str]) -> Result<(), String> {
    run(Command::new("python3").args(arguments), "python3 (needed with pip, to fetch ONNX Runtime)")
}

fn cargo(arguments: &[&str], rest: &[String]) -> Result<(), String> {
    run(Command::new(env!("CARGO")).args(arguments).args(rest).current_dir(root()), "cargo")
}

fn run(command: &mut Command, name: &str) -> Result<(), String> {
    // What `cargo run` says of this very package. Build scripts look at it (that of `ring` does), and everything would be built anew after a plain `cargo bench`.
    for (variable, _) in std::env::vars_os() {
        let of_this_package = variable.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_")
                || ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"].contains(&name)
        });
        if of_this_package {
            command.env_remove(&variable);
        }
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} ended with {status}")),
        Err(error) => Err(format!("cannot start {name}: {error}")),
    }
}
