import Linux

extension HostSupport {
    /// Whether a guest gets a kernel of its own.
    var machineSection: Section {
        Section(title: "Virtual machines", checks: machineChecks)
    }

    private var machineChecks: [Check] {
        let device = "/dev/kvm"
        let ring = "ring 0"
        let unmeasured = Check(name: ring, status: .no, found: "not measured", advice: "needs a usable /dev/kvm")
        let version = kvm.apiVersion.map { "API version \($0)" } ?? "works"
        switch kvm.state {
        case .noDevice:
            return [
                Check(
                    name: device, status: .no, found: "not there",
                    advice: "modprobe kvm-intel or kvm-amd; inside a virtual machine, turn on nested virtualisation"),
                unmeasured,
            ]
        case .refused(let errno):
            return [
                Check(name: device, status: .no, found: "\(errno)", advice: "run as root, or join the group kvm"),
                unmeasured,
            ]
        case .failed(let step, let errno):
            return [
                Check(
                    name: device, status: .no, found: "\(step): \(errno)",
                    advice: "another hypervisor may hold the processor's extensions; see the kernel's log"),
                unmeasured,
            ]
        case .works(nil):
            return [.yes(device, version), Check(name: ring, status: .partly, found: "not measured here")]
        case .works(let time?):
            let pace = time < 1 ? "less than 1" : "\(Int(time + 0.5))"
            if kvm.hasRealRing0 == true {
                return [.yes(device, version), .yes(ring, "real: \(pace) ns an instruction")]
            }
            return [
                .yes(device, version),
                Check(
                    name: ring, status: .no, found: "emulated: \(pace) ns an instruction",
                    advice:
                        "a Linux guest won't finish booting: use bare metal, real nesting, or QEMU's TCG"),
            ]
        }
    }
}
