//! From the device that was asked for to one that computes.
//!
//! This is the only file that knows which devices the build was made for.

use base::DeviceChoice;
use candle_core::Device;

use super::NnError;

/// Was this build made with CUDA code?
pub const HAS_CUDA: bool = cfg!(feature = "cuda");
/// Was this build made with Metal code?
pub const HAS_METAL: bool = cfg!(feature = "metal");

/// Opens the device. `auto` takes the best that works; the second value is a sentence for the
/// user where `auto` had to fall back from a device that should have been there. A device that
/// was named is opened or refused, never replaced.
///
/// # Errors
/// [`NnError::Device`] where the named device is not there or the build has no code for it.
pub fn resolve(choice: DeviceChoice) -> Result<(Device, Option<String>), NnError> {
    match choice {
        DeviceChoice::Cpu => Ok((Device::Cpu, None)),
        DeviceChoice::Cuda(_) | DeviceChoice::Metal(_) => open(choice).map(|device| (device, None)),
        DeviceChoice::Auto => Ok(best_of(HAS_CUDA, HAS_METAL, nvidia_driver_is_loaded(), open)),
    }
}

/// `cpu`, `cuda:0`, `metal:0`: for logs and reports.
#[must_use]
pub fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".to_owned(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

/// Which vector instructions the processor's kernels use, for `cinetag doctor`.
#[must_use]
pub fn cpu_kernels() -> &'static str {
    kernels::Isa::detect().name()
}

fn open(choice: DeviceChoice) -> Result<Device, NnError> {
    let refuse =
        |reason: String, hint: &str| NnError::Device { choice, reason, hint: hint.to_owned() };
    match choice {
        DeviceChoice::Auto | DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(_) if !HAS_CUDA => Err(refuse(
            "this build has no CUDA code".to_owned(),
            "build with `--features cuda`, or use `--device cpu` or `--device auto`",
        )),
        DeviceChoice::Metal(_) if !HAS_METAL => Err(refuse(
            "this build has no Metal code".to_owned(),
            "build with `--features metal` on macOS, or use `--device cpu` or `--device auto`",
        )),
        DeviceChoice::Cuda(ordinal) => Device::new_cuda(ordinal).map_err(|e| {
            refuse(
                first_line(&e),
                "`nvidia-smi` lists the devices and the driver; `--device auto` falls back to the CPU",
            )
        }),
        DeviceChoice::Metal(ordinal) => Device::new_metal(ordinal)
            .map_err(|e| refuse(first_line(&e), "`--device auto` falls back to the CPU")),
    }
}

/// The best device: CUDA, then Metal, then the processor, with a note where a device that
/// should have been there was passed over.
fn best_of(
    has_cuda: bool,
    has_metal: bool,
    driver_loaded: bool,
    open: impl Fn(DeviceChoice) -> Result<Device, NnError>,
) -> (Device, Option<String>) {
    let mut passed_over = Vec::new();
    for (built, choice) in [(has_cuda, DeviceChoice::Cuda(0)), (has_metal, DeviceChoice::Metal(0))]
    {
        if !built {
            continue;
        }
        match open(choice) {
            Ok(device) => return (device, None),
            Err(error) => passed_over.push(error.to_string()),
        }
    }
    if passed_over.is_empty() && driver_loaded && !has_cuda {
        passed_over.push("an NVIDIA driver is loaded, but this build has no CUDA code".to_owned());
    }
    let note = (!passed_over.is_empty())
        .then(|| format!("{}; networks run on the CPU", passed_over.join("; ")));
    (Device::Cpu, note)
}

fn nvidia_driver_is_loaded() -> bool {
    std::path::Path::new("/proc/driver/nvidia/version").exists()
}

fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or("unknown reason").to_owned()
}

#[cfg(test)]
mod tests {
    use base::Hinted;

    use super::*;

    fn refuse(choice: DeviceChoice) -> Result<Device, NnError> {
        Err(NnError::Device { choice, reason: "no driver".to_owned(), hint: String::new() })
    }

    #[test]
    fn auto_falls_back_and_says_so() {
        let (device, note) = best_of(true, false, true, refuse);
        assert!(device.is_cpu());
        assert_eq!(
            note.unwrap(),
            "device cuda:0 cannot be used: no driver; networks run on the CPU"
        );
        let (_, note) = best_of(false, false, true, refuse);
        assert!(note.unwrap().contains("no CUDA code"));
        assert_eq!(best_of(false, false, false, refuse).1, None);
    }

    #[test]
    fn a_named_device_never_falls_back() {
        // Ordinals beyond any machine, so that the test holds on a machine with devices too.
        for choice in [DeviceChoice::Cuda(99), DeviceChoice::Metal(99)] {
            let error = resolve(choice).unwrap_err();
            assert!(error.to_string().starts_with(&format!("device {choice} cannot be used")));
            assert!(error.hint().unwrap().contains("--device"));
        }
        assert!(resolve(DeviceChoice::Cpu).unwrap().0.is_cpu());
    }
}
