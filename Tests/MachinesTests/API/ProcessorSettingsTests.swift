import OCI
import Testing

@testable import bulkhead_vm

/// `/cpu-config` as clients write it.
@Suite struct ProcessorSettingsTests {
    private func read(_ text: String) throws -> ProcessorSettings { try ProcessorSettings(JSON(parsing: text)) }

    private func refusal(_ text: String) -> String? {
        do {
            _ = try read(text)
            return nil
        } catch { return (error as? BodyError)?.message ?? "\(error)" }
    }

    private let whole =
        #"{"kvm_capabilities":["!171","172"],"cpuid_modifiers":[{"leaf":"0x1","subleaf":"0x0","flags":0,"#
        + #""modifiers":[{"register":"eax","bitmap":"0bxxxx000000000011xx00011011110010"}]}],"#
        + #""msr_modifiers":[{"addr":"0x10a","bitmap":"0b\#(String(repeating: "x", count: 60))1010"}]}"#

    @Test func everythingIsReadAndTold() throws {
        let settings = try read(whole)
        let template = settings.template
        #expect(template.ignoredCapabilities == [171] && template.neededCapabilities == [172])
        #expect(template.leaves.count == 1 && template.leaves[0].leaf == 1 && template.leaves[0].changes.count == 1)
        // What xxxx000000000011xx00011011110010 makes of all ones.
        #expect(template.leaves[0].changes[0].bitmap.applied(to: .max) == 0xf003_c6f2)
        #expect(template.leaves[0].changes[0].bitmap.applied(to: 0) == 0x0003_06f2)
        #expect(template.registers.map(\.index) == [0x10a])
        #expect(template.registers[0].bitmap.applied(to: .max) == ~5)
        #expect(settings.json.encoded() == whole)
        #expect(try read("{}").template.leaves.isEmpty)
    }

    @Test func bitmapsMayBeShortAndHaveUnderscores() throws {
        let settings = try read(#"{"msr_modifiers": [{"addr": "0b11", "bitmap": "1_0x"}]}"#)
        #expect(settings.template.registers[0].index == 3)
        #expect(settings.template.registers[0].bitmap == .init(mask: 6, value: 4))
    }

    @Test(arguments: [
        (#"{"reg_modifiers": []}"#, "unknown field `reg_modifiers`"),
        (#"{"vcpu_features": []}"#, "unknown field `vcpu_features`"),
        (#"{"kvm_capabilities": ["-1"]}"#, "Failed to parse string [-1] as a kvm capability"),
        (#"{"kvm_capabilities": ["!"]}"#, "Failed to parse string [!] as a kvm capability"),
        (#"{"kvm_capabilities": [1]}"#, "invalid type: integer `1`, expected a string"),
        (
            #"{"msr_modifiers": [{"addr": "10", "bitmap": "1"}]}"#,
            "No supported number system prefix found in value [10]"
        ),
        (#"{"msr_modifiers": [{"addr": "0xg", "bitmap": "1"}]}"#, "Failed to parse string [0xg] as a number"),
        (#"{"msr_modifiers": [{"addr": "0x100000000", "bitmap": "1"}]}"#, "as a number for CPU template"),
        (#"{"msr_modifiers": [{"addr": "0x1", "bitmap": "2"}]}"#, "unknown character: 50"),
        (#"{"msr_modifiers": [{"addr": "0x1"}]}"#, "missing field `bitmap`"),
        (
            #"{"cpuid_modifiers": [{"leaf": "0x1", "subleaf": "0x0", "flags": 0, "modifiers": [{"register": "eax", "#
                + #""bitmap": "0b\#(String(repeating: "x", count: 33))"}]}]}"#, "string is too long"
        ),
        (
            #"{"cpuid_modifiers": [{"leaf": "0x1", "subleaf": "0x0", "flags": 0, "modifiers": [{"register": "rax", "#
                + #""bitmap": "1"}]}]}"#, "Invalid CPUID register. Must be one of [eax, ebx, ecx, edx]"
        ),
        (#"{"cpuid_modifiers": [{"leaf": "0x1", "subleaf": "0x0", "flags": 0}]}"#, "missing field `modifiers`"),
    ]) func whatIsWrongIsNamed(_ text: String, _ why: String) {
        #expect(refusal(text)?.contains(why) == true, "\(refusal(text) ?? "taken")")
    }
}
