//! Convolutions over three axes whose kernel has one place along the last, those of LambdaNet's positions.

use std::rc::Rc;
use std::sync::Arc;

use super::bounds;
use super::convolutions::conv;
use super::lowering::{Lowered, Node, Prepare, Refusal, Run};
use super::value::{Constant, Known};
use crate::weights::onnx::proto::{AttributeProto, NodeProto};

/// As a convolution of maps in whose rows the last axis lies: the kernel's columns are as many places apart as that axis has.
pub fn conv_of_volumes(node: &Node) -> Result<Lowered, Refusal> {
    let (shape, kernel) = (node.shape(0)?, node.constant(1)?);
    let refused = || {
        let (axes, kernel) = (shape.len(), &kernel.shape);
        Refusal::from(format!(
            "{shape:?}, of {axes} axes, which this build has not by a kernel of {kernel:?}, expected a line or a map; of 5 axes a \
             kernel of one place along the last, by steps of 1 and without pads there"
        ))
    };
    let ints =
        |name: &str, default: &'static [i64]| node.proto.ints(name).filter(|ints| !ints.is_empty()).unwrap_or(default);
    let (&[images, channels, height, width, last], &[outputs, inputs, high, wide, 1]) = (shape, &kernel.shape[..])
    else {
        return Err(refused());
    };
    let (&[down, across, 1], &[rows, columns, _], &[top, left, 0, bottom, right, 0]) =
        (ints("strides", &[1; 3]), ints("dilations", &[1; 3]), ints("pads", &[0; 6]))
    else {
        return Err(refused());
    };
    if !matches!(node.text("auto_pad"), "" | "NOTSET") || across != 1 && last != 1 {
        return Err(refused());
    }
    let apart = |places: i64| places.saturating_mul(last as i64);
    let setting = |name: &str, ints: &[i64]| AttributeProto {
        name: name.to_string(),
        ints: ints.to_vec(),
        ..AttributeProto::default()
    };
    let group = AttributeProto { name: "group".to_string(), i: node.int("group", 1), ..AttributeProto::default() };
    let attribute = vec![
        setting("strides", &[down, across]),
        setting("dilations", &[rows, apart(columns)]),
        setting("pads", &[top, apart(left), bottom, apart(right)]),
        group,
    ];
    let proto = NodeProto { attribute, ..node.proto.clone() };
    bounds::settings(proto.whole_settings())?;
    let flat = [outputs, inputs, high, wide];
    let flatten: Prepare = Rc::new(move |_| {
        let run: Run = Arc::new(move |mut kernel| vec![kernel.remove(0).reshaped(&flat)]);
        Ok(run)
    });
    let mut given = node.inputs.clone();
    given[0] = Some(Known::Computed(vec![images, channels, height, width * last]));
    given[1] = Some(Known::Constant(Rc::new(Constant::computed(&flat, flatten, 0, vec![kernel.clone()], false))));
    let (model, key, opset, then) = (node.model, node.key, node.opset, node.then.clone());
    let of_maps = conv(&Node { model, key, proto: &proto, inputs: given, opset, then })?;
    let Lowered::Computed { shapes, takes, prepare, multiply_adds, weights } = of_maps else { return Err(refused()) };
    let &[.., rows, columns] = &shapes[0][..] else { return Err(refused()) };
    let shape = vec![images, outputs, rows, columns / last, last];
    let to = shape.clone();
    let prepare: Prepare = Rc::new(move |loader| {
        let (run, to) = (prepare(loader)?, to.clone());
        let run: Run = Arc::new(move |x| run(x).into_iter().map(|y| y.reshaped(&to)).collect());
        Ok(run)
    });
    Ok(Lowered::Computed { shapes: vec![shape], takes, prepare, multiply_adds, weights })
}
