//! What stands under each command's `--help`.

pub(super) const FIRST: &str = "\
Examples:
  semgpu quickstart                        the experiment that the program carries
  semgpu init trial                        the same written out, to be changed
  semgpu run trial/configs/quickstart.toml
  semgpu layers vgg16                      names, labels, shapes
  semgpu COMMAND --help                    options and examples of a command";

pub(super) const QUICKSTART: &str = "\
Examples:
  semgpu quickstart
  semgpu quickstart --out first --device cpu";

pub(super) const INIT: &str = "\
Examples:
  semgpu init trial
  semgpu run trial/configs/quickstart.toml";

pub(super) const RUN: &str = "\
Examples:
  semgpu run vgg16.toml --dry-run
  semgpu run vgg16.toml --device gpu --out results/first
  semgpu run configs/sweep.toml            several networks, one table and figure of all
  semgpu run vgg16.toml --set two_vs_two.permutations=10000 --set network.layers='[\"fc1\", \"fc2\"]'";

pub(super) const CONCEPTS: &str = "\
Examples:
  semgpu concepts --images photos --words GloVe=glove.6B.300d.txt --out manifest.csv > experiment.toml
  semgpu concepts --images ILSVRC2012_img_val --labels val.txt --words GloVe=glove.6B.300d.txt --out manifest.csv";

pub(super) const LAYERS: &str = "\
Examples:
  semgpu layers
  semgpu layers resnet50 --form torchvision --json";

pub(super) const INSPECT: &str = "\
Examples:
  semgpu inspect vgg16-397923af.pth --network vgg16 --form torchvision
  semgpu inspect glove.6B.300d.txt --manifest manifest.csv";

pub(super) const SIMILARITY: &str = "\
Examples:
  semgpu similarity conv5.npy --out rsm/conv5.npy
  semgpu similarity conv5.npy fc6.npy --rows file_names.txt --manifest manifest.csv --out rsm
  semgpu similarity sub01.npy sub02.npy --out IT.npy     subjects, each with voxels of its own";

pub(super) const TEST: &str = "\
Examples:
  semgpu test --words GloVe=rsm/words.npy --images conv5=rsm/conv5.npy --images fc6=rsm/fc6.npy --out results/alexnet
  semgpu test --words GloVe=glove.6B.300d.txt --concepts names.txt --images V1=v1.mat::rsm --out results/v1";

pub(super) const COMPARE: &str = "\
Examples:
  semgpu compare results/vgg16 results/resnet50 --words GloVe --out results/compare
  semgpu compare results/sweep             every two of its networks";

pub(super) const COMPLETIONS: &str = "\
Examples:
  semgpu completions bash > ~/.local/share/bash-completion/completions/semgpu
  semgpu completions zsh > ~/.zfunc/_semgpu
  semgpu completions powershell >> $PROFILE";

pub(super) const SCHEMA: &str = "\
Examples:
  semgpu schema > config.schema.json       then, as the first line of a configuration: #:schema config.schema.json";
