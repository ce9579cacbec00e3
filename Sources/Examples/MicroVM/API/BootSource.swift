import OCI

/// `/boot-source`: what is booted.
struct BootSource: Hashable {
    var kernel: String
    var initialRAMDisk: String?
    var arguments: String?

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "BootSourceConfig", ["kernel_image_path", "initrd_path", "boot_args"])
        kernel = try members.required("kernel_image_path", Value.text)
        initialRAMDisk = try members.optional("initrd_path", Value.text)
        arguments = try members.optional("boot_args", Value.text)
    }

    /// What the kernel is told by default: as little as possible to look for.
    static let defaultArguments =
        "reboot=k panic=1 nomodule 8250.nr_uarts=0 i8042.noaux i8042.nomux i8042.dumbkbd swiotlb=noforce"

    var json: JSON {
        [
            "kernel_image_path": JSON(kernel), "initrd_path": JSON(initialRAMDisk), "boot_args": JSON(arguments),
        ]
    }
}
