import CLinux
import Linux

/// A file system of so many bytes that nobody else sees: it is mounted nowhere, and goes with the last descriptor.
func smallFileSystem(bytes: Int) throws -> Descriptor {
    let context = Descriptor(owning: try systemCall("fsopen") { bh_fsopen("tmpfs") })
    let number = context.rawValue
    // FSCONFIG_SET_STRING is 1, FSCONFIG_CMD_CREATE 6.
    try systemCall("set the size") { bh_fsconfig(number, 1, "size", "\(bytes)", 0) }
    try systemCall("make the file system") { bh_fsconfig(number, 6, nil, nil, 0) }
    return Descriptor(owning: try systemCall("fsmount") { bh_fsmount(number, 0) })
}
