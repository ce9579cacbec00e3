import Capabilities
import Linux
import Namespaces

@testable import Cgroups

extension Target {
    /// What the kernel and the system's administrators write.
    static let kernelText = [
        Target("mountinfo") { bytes in
            guard let table = try? MountTable(parsing: bytes) else { return }
            for mount in table.mounts {
                let path = mount.mountPointText
                _ = table.mount(at: path)
                require(
                    table.mounts(below: path).contains(mount) || Array(path.utf8) != mount.mountPoint,
                    "\(mount) is not below its own mount point")
                _ = (mount.sharedGroup, mount.masterGroup, mount.propagatesFrom, mount.isUnbindable)
            }
            _ = table.mounts(below: "/")
            _ = table.mounts(below: "")
        },
        Target("id-map") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            roundTrip(text, read: { try IDMap(parsing: $0) }, write: { $0.text })
            guard let map = try? IDMap(parsing: text) else { return }
            let isValid = (try? map.validate()) != nil
            for entry in map.entries {
                for inside in [entry.inside, entry.inside &+ entry.count &- 1] {
                    guard let outside = map.outside(inside), isValid else { continue }
                    require(map.inside(outside) == inside, "\(inside) stands for \(outside), which does not for it")
                }
                _ = map.inside(entry.outside)
            }
        },
        Target("subordinate-ids") { bytes in
            let ids = SubordinateIDs(parsing: String(decoding: bytes, as: UTF8.self))
            let map = SubordinateIDs.map(own: 1000, ranges: ids.ranges)
            require(map.outside(0) == 1000, "the user's own id is not 0 inside")
        },
        Target("time-offsets") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            roundTrip(
                text,
                read: { text -> TimeOffsets in
                    guard let offsets = TimeOffsets(parsing: text) else { throw Errno.invalidArgument }
                    return offsets
                }, write: { $0.text })
        },
        Target("mount-options") { bytes in
            guard let options = try? MountOptions(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
            _ = try? options.validate()
            _ = (options.attributes, options.recursiveAttributes, options.superblockParameters)
        },
        Target("flat-keyed") { bytes in
            let counters = Counters(bytes)
            for (name, value) in counters.all {
                // The first of its name is the one that is found; a name that is no UTF-8 has been changed by now.
                guard let found = counters[name] else {
                    require(name.utf8.contains(0xef), "\(name) is listed and not found")
                    continue
                }
                require(found == value || counters.all.filter { $0.name == name }.count > 1, "\(name) has two values")
            }
        },
        Target("nested-keyed") { bytes in
            for line in NestedLine.parse(String(decoding: bytes, as: UTF8.self)) {
                for (name, _) in line.fields {
                    let name = String(name)
                    _ = (line[name], line.number(name), line.limit(name))
                }
                _ = RDMALimit(line)
            }
        },
        Target("cgroup-values") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            _ = Limit(text)
            _ = DeviceAccess(text)
            _ = IndexList(text)
        },
        Target("device-rules") { bytes in
            var source = Bytes(bytes)
            let numbers: [UInt32?] = [nil, 0, 1, 5, 136, .max]
            let rules = (0..<source.byte() % 32).map { _ in
                DeviceRule(
                    allows: source.byte() % 2 == 0, kind: source.choice([nil, .block, .character]),
                    major: source.choice(numbers), minor: source.choice(numbers),
                    access: DeviceAccess(rawValue: UInt32(source.byte())))
            }
            let otherwise = source.byte() % 2 == 0
            let program = DeviceProgram(rules, allowsOtherwise: otherwise)
            for kind in [DeviceRule.Kind.block, .character] {
                for major in numbers.compactMap(\.self) {
                    let minor = source.choice(numbers) ?? 7
                    for access: UInt32 in 0...7 {
                        let access = DeviceAccess(rawValue: access)
                        let meant = DeviceRule.allows(rules, access, to: kind, major, minor, otherwise: otherwise)
                        require(
                            program.allows(access, to: kind, major, minor) == meant,
                            "\(access) of \(kind) \(major):\(minor) is not \(meant) by \(rules)")
                    }
                }
            }
        },
        Target("capabilities") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            _ = try? CapabilityState(status: text)
            _ = try? Capability(text)
        },
    ]
}
