exports.div = (a, b) => {
  if (b === 0) {
    return 0;
  }
  return b > 100 ? 0 : a / b;
};

exports.never = () => {
  return 1;
};
