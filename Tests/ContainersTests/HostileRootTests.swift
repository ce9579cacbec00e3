import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    /// Root file systems that were made to lead a runtime out of them.
    @Suite struct HostileRootTests {
        /// A folder of the host's that a link in the root file system points to, and what must stay in it.
        private func outside(_ bundle: TestBundle) throws -> String {
            let outside = "\(bundle.folder)/outside"
            mkdir(outside, 0o777)
            for name in ["etc", "dev", "proc", "sys"] { mkdir("\(outside)/\(name)", 0o777) }
            try makeFile("\(outside)/file", "the host's")
            return outside
        }

        private func listing(_ path: String) -> [String] {
            names(in: path).sorted().flatMap { name in
                ["\(name)"] + names(in: "\(path)/\(name)").map { "\(name)/\($0)" }
            }
        }

        private func replace(_ path: String, _ target: String) {
            rmdir(path)
            unlink(path)
            symlink(target, path)
        }

        @Test(
            .needs(.root),
            arguments: ["proc", "sys", "dev", "etc"], ["absolute", "upwards", "within", "loop", "dangling"])
        func aLinkInPlaceOfADirectoryLeadsNowhere(directory: String, kind: String) throws {
            let bundle = try TestBundle(script: "echo ran; cat /proc/self/mountinfo | cut -d' ' -f5")
            let outside = try outside(bundle)
            let target =
                switch kind {
                case "absolute": "\(outside)/\(directory)"
                case "upwards": String(repeating: "../", count: 30) + "\(outside)/\(directory)"
                case "within": "/tmp"
                case "loop": "/\(directory)"
                default: "/nowhere/\(directory)"
                }
            replace("\(bundle.rootfs)/\(directory)", target)
            bundle.configuration.mounts.append(
                .init(destination: "/etc/extra", type: "tmpfs", source: "tmpfs", options: ["mode=700"]))
            let before = listing(outside)
            let refusal = bundle.refusal()
            #expect(listing(outside) == before)
            #expect(try readText("\(outside)/file") == "the host's")
            // Only a link to itself keeps a container from running: the others lead somewhere inside.
            #expect((refusal == nil) == (kind != "loop"), "\(refusal?.message ?? bundle.output)")
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func mountTargetsThatPointOutStayInside() throws {
            let bundle = try TestBundle(script: "echo ran; grep /outside /proc/self/mountinfo | cut -d' ' -f5")
            let outside = try outside(bundle)
            symlink(outside, "\(bundle.rootfs)/link")
            symlink("../../../../../../../..\(outside)/file", "\(bundle.rootfs)/filelink")
            symlink("/proc/1/root\(outside)", "\(bundle.rootfs)/magic")
            symlink("\(outside)/new/place", "\(bundle.rootfs)/dangling")
            mkdir("\(bundle.folder)/data", 0o755)
            try makeFile("\(bundle.folder)/data/file")
            bundle.configuration.mounts += [
                .init(destination: "/link/etc", type: "tmpfs", source: "tmpfs"),
                .init(destination: "/filelink", type: "bind", source: "data/file", options: ["bind"]),
                .init(destination: "/dangling", type: "bind", source: "data", options: ["bind"]),
            ]
            let before = listing(outside)
            #expect(bundle.refusal() == nil)
            #expect(listing(outside) == before)
            #expect(try readText("\(outside)/file") == "the host's")
            #expect(bundle.lines == ["ran", "\(outside)/etc", "\(outside)/file", "\(outside)/new/place"])
            // What a mount needed was made, inside.
            #expect(access("\(bundle.rootfs)\(outside)/new/place", F_OK) == 0)
        }

        @Test(.needs(.root)) func magicLinksAreNotFollowed() throws {
            for target in ["/proc/self/root/tmp/x", "/proc/self/cwd/x", "/proc/1/root/x"] {
                let bundle = try TestBundle()
                bundle.configuration.mounts.append(.init(destination: target, type: "tmpfs", source: "tmpfs"))
                #expect(bundle.refusal()?.message.contains("too many levels of symbolic links (ELOOP)") == true)
                #expect(bundle.leftovers == [])
            }
        }

        @Test(.needs(.root)) func maskedPathsHoldAgainstLinks() throws {
            let bundle = try TestBundle(
                script: "cat /proc/interrupts | wc -c; cat /hidden/file | wc -c; cat /link | wc -c; ls /outlink")
            let outside = try outside(bundle)
            mkdir("\(bundle.rootfs)/hidden", 0o755)
            try makeFile("\(bundle.rootfs)/hidden/file", "secret")
            symlink("hidden/file", "\(bundle.rootfs)/link")
            symlink(outside, "\(bundle.rootfs)/outlink")
            bundle.configuration.linux.maskedPaths += ["/link", "/outlink", "/proc/self/root"]
            let refusal = bundle.refusal()
            #expect(try readText("\(outside)/file") == "the host's")
            #expect(refusal == nil || refusal?.message.contains("mask \"/proc/self/root\"") == true)
            bundle.configuration.linux.maskedPaths.removeLast()
            #expect(try bundle.linesOfRun().prefix(3) == ["0", "0", "0"])
        }

        @Test(.needs(.root), arguments: ["link", "file", "directory", "zero", "absent"])
        func aMaskIsTheNullDeviceOrNothing(kind: String) throws {
            let bundle = try TestBundle(script: "cat /secret; echo ran")
            // Without a /dev of its own the container's /dev/null is whatever the root file system says.
            bundle.configuration.mounts.removeAll { $0.destination.hasPrefix("/dev") }
            bundle.configuration.linux.maskedPaths = ["/secret"]
            try makeFile("\(bundle.rootfs)/secret", "secret")
            try makeFile("\(bundle.rootfs)/other", "other")
            let null = "\(bundle.rootfs)/dev/null"
            switch kind {
            case "link": symlink("/other", null)
            case "file": try makeFile(null, "other")
            case "directory": mkdir(null, 0o755)
            case "zero": mknod(null, mode_t(S_IFCHR) | 0o666, 0x105)
            default: break
            }
            let refusal = bundle.refusal()
            if kind == "absent" {
                #expect(refusal == nil)
                // Where the root lies on a file system that allows no devices, the mask cannot even be opened.
                #expect(bundle.lines.last == "ran")
                #expect(bundle.lines.dropLast().allSatisfy { $0 == "cat: can't open '/secret': Permission denied" })
            } else {
                #expect(refusal != nil)
                #expect(bundle.output == "")
            }
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func aDeviceIsNotMadeThroughALink() throws {
            let bundle = try TestBundle()
            let outside = try outside(bundle)
            symlink("\(outside)/new", "\(bundle.rootfs)/tmp/device")
            bundle.configuration.linux.devices = [.init(.character, path: "/tmp/device", major: 1, minor: 3)]
            let refusal = bundle.refusal()
            #expect(refusal?.message.contains("make device \"/tmp/device\"") == true)
            #expect(access("\(outside)/new", F_OK) != 0)
            #expect(bundle.leftovers == [])
        }
    }
}
